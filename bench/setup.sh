#!/usr/bin/env bash
# Installs what the benchmarks measure with (wrk) and against, from Debian. Asked for by bench/run.ts; quick where all
# is there. Not root, or no apt-get: says what is missing and goes on, the benchmarks then leave those peers out.
set -euo pipefail
export PATH="$PATH:/usr/sbin"

# One line a package: its name, and a program that proves it is there whatever package it came from.
wanted='
nginx                nginx
wrk                  wrk
uwsgi-core           uwsgi-core
uwsgi-plugin-python3 uwsgi_python3
php-fpm              php-fpm*
golang-go            go
gunicorn             gunicorn
python3-flask        flask
'

# Debian's php-fpm has its version in its name.
commands=$(compgen -c)
is_there() { grep -qE "^${1/\*/[0-9.]*}$" <<<"$commands"; }

missing=()
while read -r package program; do
  [ -n "$package" ] || continue
  is_there "$program" || missing+=("$package")
done <<<"$wanted"

[ ${#missing[@]} -gt 0 ] || exit 0

line="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Missing: ${missing[*]}; on Debian: sudo $line" >&2
  exit 0
fi

# Freshly installed services would start at once and take ports; policy-rc.d is Debian's way to say no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
echo "Installing ${missing[*]}"
if ! $line -qq >"$log" 2>&1 && ! { apt-get update -qq >>"$log" 2>&1 && $line -qq >>"$log" 2>&1; }; then
  tail -n 5 "$log" >&2
  echo "Cannot install ${missing[*]}: apt-get failed, see above" >&2
fi
rm -f "$log"
