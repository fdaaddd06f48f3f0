// The nginx in front of one backend: Debian's stock parameter files, no access log, one worker.
import {
  fastcgiLocation,
  httpLocation,
  keepaliveUpstream,
  type Nginx,
  scgiLocation,
  serverBlock,
  startNginx,
  uwsgiLocation,
} from '../../test/helpers/nginx.ts';
import type { Backend } from './backend.ts';

const LOCATIONS = {
  fastcgi: { module: 'fastcgi', write: fastcgiLocation },
  uwsgi: { module: 'uwsgi', write: uwsgiLocation },
  scgi: { module: 'scgi', write: scgiLocation },
  http: { module: 'proxy', write: httpLocation },
} as const;

/** What a scenario wants of nginx, the same for every protocol; nginx's defaults where it says nothing. */
export interface FrontSettings {
  /** Directives for the server. */
  readonly server?: string;
  /** Of responses: in memory, never in files. */
  readonly buffering?: boolean;
  /** Of request bodies: large ones in files, as nginx always does. */
  readonly requestBuffering?: boolean;
}

/** @param connections idle ones that nginx keeps to a backend with keep-alive: as many as there are clients */
export function startFront(
  backend: Backend,
  socket: string,
  connections: number,
  settings: FrontSettings = {},
): Promise<Nginx> {
  const { protocol, keepAlive, extra = '' } = backend;
  const { server = '', buffering, requestBuffering } = settings;
  const { module, write } = LOCATIONS[protocol];
  const target = `unix:${socket}`;
  const upstream = keepAlive
    ? keepaliveUpstream('backend', target, connections)
    : `upstream backend { server ${target}; }\n`;
  const location = write({
    socket: 'backend',
    keepConn: keepAlive,
    ...(buffering !== undefined && { buffering }),
    ...(requestBuffering !== undefined && { requestBuffering }),
    extra: `${extra}${buffering === undefined ? '' : bufferingRules(module)}`,
  });
  // nginx's default of 1000 requests a client connection would make wrk connect anew all the time.
  return startNginx({
    http: upstream,
    servers: serverBlock(`access_log off;\nkeepalive_requests 1000000000;\n${server}\n${location}`),
  });
}

/** The scenario decides, not the response; and the disk stays out of it. */
function bufferingRules(module: string): string {
  return `${module}_ignore_headers X-Accel-Buffering;\n  ${module}_max_temp_file_size 0;`;
}
