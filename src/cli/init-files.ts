// The files `viaduct init` writes.

const CONFIG = `# Check it with: viaduct check
# For editors: viaduct schema > viaduct.schema.json, and a first line "# yaml-language-server: $schema=viaduct.schema.json"
# Paths are relative to this file; \${NAME}, \${NAME:-default} and \${NAME:?message} come from the environment.

listeners:
  # nginx connects here: fastcgi_pass unix:<this folder>/run/viaduct.sock;
  - address: unix:run/viaduct.sock
    protocol: fastcgi # or uwsgi, scgi, http, auto
    mode: '0660' # nginx's user must be able to write
    # group: www-data # ... so give the socket nginx's group
  # For a first try without nginx: curl http://127.0.0.1:8080/
  - address: 127.0.0.1:8080
    protocol: http

mounts:
  - path: / # the longest prefix wins and becomes SCRIPT_NAME
    app: ./app.js # FILE or FILE:EXPORT
    # middleware: [viaduct:lint] # checks every rule of the gateway contract, for development
    # env:
    #   GREETING: \${GREETING:-Hello} # reaches the app as a key of environ
    # timeouts: { request: 10s } # any limit or timeout may be set again for one mount

# Metrics, health and a status page; false turns it off.
admin:
  address: 127.0.0.1:9180

# What follows is optional; the values are the defaults.

# limits:
#   body_size: 0 # 0: no limit, nginx has client_max_body_size
#   requests: 1024 # in flight; beyond that they queue
#   queue: 256 # waiting; beyond that: 503

# timeouts:
#   request: 60s
#   idle: 75s # above nginx's keepalive_timeout

# log:
#   level: info
#   access: { enabled: true, format: json }
`;

const APP = `// A gateway app: environ in, status and headers through startResponse, the body as chunks of bytes.
const encoder = new TextEncoder();

export function application(environ, startResponse) {
  const body = encoder.encode(\`Hello from viaduct, you asked for \${environ.PATH_INFO}\\n\`);
  startResponse('200 OK', [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(body.length)],
  ]);
  return [body];
}
`;

const PACKAGE = `${JSON.stringify({ name: 'viaduct-app', private: true, type: 'module' }, null, 2)}\n`;

/** Name -> text. */
export const INIT_FILES: Readonly<Record<string, string>> = {
  'viaduct.yaml': CONFIG,
  'app.js': APP,
  'package.json': PACKAGE,
};
