// The nginx that `npm start` puts in front of the example apps: an own folder, own ports, nothing of the system's.
// It knows the two sockets and nothing else of viaduct.
import { spawn, spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';

/** The path of nginx: on PATH, or where Debian keeps it, which is not on the PATH of ordinary users. Or undefined. */
export function findNginx() {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, 'nginx')).find(isExecutable);
}

/**
 * Starts nginx in the foreground of its own process group, so that a Ctrl-C in the terminal reaches only the
 * process that stops both in order.
 * @param options `program`; `folder` for configuration, pid, logs and temporary files; `fastcgi` and `uwsgi`, each
 *   with the `socket` to pass to and the `port` of 127.0.0.1 to listen on
 */
export function startNginx(options) {
  const { program, folder } = options;
  mkdirSync(join(folder, 'temp'), { recursive: true });
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, configuration(options));
  // Complaints from before nginx has read its configuration go to stderr: into the same file.
  const log = openSync(join(folder, 'error.log'), 'w');
  const child = spawn(program, ['-p', folder, '-c', file], { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  return child;
}

/** What nginx has written to its error log in this run. */
export function readErrorLog(folder) {
  return readFileSync(join(folder, 'error.log'), 'utf8').trim();
}

function configuration({ folder, fastcgi, uwsgi }) {
  return `# Written by deploy/private-nginx.mjs at every start; changes are lost.
${userLine(fastcgi.socket)}
daemon off;
worker_processes 1;
pid "${folder}/nginx.pid";
error_log "${folder}/error.log" notice;
events { worker_connections 1024; }

http {
  access_log "${folder}/access.log";
  client_max_body_size 0;
${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path "${folder}/temp/${kind}";`).join('\n')}

  # Idle connections are kept and used again: "keepalive" here and "fastcgi_keep_conn on" below, both are needed.
  upstream viaduct_fastcgi {
    server "unix:${fastcgi.socket}";
    keepalive 32;
  }

  server {
    listen 127.0.0.1:${fastcgi.port};
    server_name localhost;
    location / {
      fastcgi_pass viaduct_fastcgi;
      fastcgi_keep_conn on;
${parameters('fastcgi')}
      # A response head larger than this is answered with 502.
      fastcgi_buffer_size 16k;
      fastcgi_buffers 16 16k;
    }
  }

  # uwsgi carries one request a connection.
  server {
    listen 127.0.0.1:${uwsgi.port};
    server_name localhost;
    location / {
      uwsgi_pass "unix:${uwsgi.socket}";
${parameters('uwsgi')}
      uwsgi_buffer_size 16k;
      uwsgi_buffers 16 16k;
    }
  }
}
`;
}

/**
 * Started by root, nginx would run its workers as "nobody", who may neither write to viaduct's sockets nor, in a clone
 * below a private home folder, even reach them. Opening the sockets to everybody would be worse, so the workers get
 * the account that owns the sockets: never more rights than the daemon behind them. They listen on 127.0.0.1 only and
 * serve no files. Started by an ordinary user, nginx stays that user and wants no such line.
 */
function userLine(socket) {
  if (process.getuid?.() !== 0) return '';
  const { uid, gid } = statSync(socket);
  const user = output('id', ['-nu', String(uid)]);
  const group = output('getent', ['group', String(gid)]).split(':')[0];
  return `user ${user} ${group};`;
}

/**
 * Written out, since not every system has the files, and Debian's drop the port from HTTP_HOST. "$host" and not the
 * Host header: with a request target like "http://a/" the two may differ, and then the target counts (RFC 9112, 3.2.2).
 */
function parameters(protocol) {
  const list = [
    'QUERY_STRING $query_string',
    'REQUEST_METHOD $request_method',
    'CONTENT_TYPE $content_type',
    'CONTENT_LENGTH $content_length',
    'REQUEST_URI $request_uri',
    'DOCUMENT_URI $document_uri',
    'PATH_INFO $document_uri',
    'SERVER_PROTOCOL $server_protocol',
    'REQUEST_SCHEME $scheme',
    'HTTPS $https if_not_empty',
    'REMOTE_ADDR $remote_addr',
    'REMOTE_PORT $remote_port',
    'SERVER_ADDR $server_addr',
    'SERVER_PORT $server_port',
    'SERVER_NAME $server_name',
    'HTTP_HOST $host:$server_port',
  ];
  return list.map((line) => `      ${protocol}_param ${line};`).join('\n');
}

function output(program, args) {
  return (spawnSync(program, args, { encoding: 'utf8' }).stdout ?? '').trim();
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
