#!/usr/bin/env bash
# Installs the Debian packages that the tests need. Quick and quiet where all are there.
# Not root: prints the one line that would install them, and fails.
set -euo pipefail
export PATH="$PATH:/usr/sbin"

# One line a package: its name, and a program that proves it is there whatever package it came from;
# "-" asks dpkg.
needed='
nginx    nginx
python3  python3
systemd  systemd-notify
python3-django    -
python3-flask     -
python3-werkzeug  -
python3-webtest   -
chromium    chromium
prometheus  prometheus
'

missing=()
while read -r package program; do
  [ -n "$package" ] || continue
  if [ "$program" = - ]; then
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  else
    command -v "$program" >/dev/null || missing+=("$package")
  fi
done <<<"$needed"

[ ${#missing[@]} -gt 0 ] || exit 0

line="apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "Cannot install ${missing[*]}: there is no apt-get here; the tests need these programs on PATH" >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "Cannot run the tests without ${missing[*]}; install with: sudo $line" >&2
  exit 1
fi

# A freshly installed nginx would start at once and take port 80; policy-rc.d is Debian's way to say no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
echo "Installing ${missing[*]}"
# The package lists may be new enough; fetching them is the slow part.
if ! $line -qq >"$log" 2>&1 && ! { apt-get update -qq >>"$log" 2>&1 && $line -qq >>"$log" 2>&1; }; then
  cat "$log" >&2
  echo "Cannot install ${missing[*]}: apt-get failed, see above" >&2
  exit 1
fi
rm -f "$log"
