// Starts a folder of examples/ as it is: the daemon with its viaduct.yaml, and nginx with its nginx.conf, in another place.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Daemon, startDaemon } from './daemon.ts';
import { type CallOptions, type HttpResponse, request } from './http-client.ts';
import { type Nginx, type NginxOptions, startNginx } from './nginx.ts';
import { projectRoot } from './project.ts';

export interface Example {
  readonly daemon: Daemon;
  readonly nginx: Nginx;
  ask(path: string, options?: CallOptions): Promise<HttpResponse>;
  stop(): Promise<void>;
}

export async function startExample(name: string): Promise<Example> {
  const folder = join(projectRoot, 'examples', name);
  const config = readFileSync(join(folder, 'viaduct.yaml'), 'utf8')
    .replace('unix:run/viaduct.sock', 'unix:{{dir}}/viaduct.sock')
    .replace('run_dir: run', 'run_dir: "{{dir}}/run"')
    .replace(/app: (\S+\.js)$/m, (_line, file: string) => `app: ${join(folder, file)}`);
  const daemon = await startDaemon({ config });
  try {
    const nginx = await startNginx(frontOf(folder, daemon.socket('viaduct')));
    return {
      daemon,
      nginx,
      ask: (path, options = {}) => request({ port: nginx.port, path, ...options }),
      async stop() {
        await nginx.stop();
        await daemon.remove();
      },
    };
  } catch (error) {
    await daemon.remove();
    throw error;
  }
}

/** Its nginx.conf, but for the paths of its own files, and with a free port. */
function frontOf(folder: string, socket: string): NginxOptions {
  const text = readFileSync(join(folder, 'nginx.conf'), 'utf8');
  const [main = '', http = ''] = text.split(/^http \{$/m);
  const begin = /^ {2}(?:upstream|server) /m.exec(http)?.index ?? 0;
  const servers = http
    .slice(begin, http.lastIndexOf('}'))
    .replace('unix:run/viaduct.sock', `unix:${socket}`)
    .replace('../../deploy', join(projectRoot, 'deploy'))
    .replace(/(?<=listen )127\.0\.0\.1:\d+/, '127.0.0.1:{{port}}');
  return { main: main.replaceAll(/^(?:pid|error_log) .*$/gm, ''), servers };
}
