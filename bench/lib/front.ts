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
  fastcgi: fastcgiLocation,
  uwsgi: uwsgiLocation,
  scgi: scgiLocation,
  http: httpLocation,
} as const;

/** @param connections idle ones that nginx keeps to a backend with keep-alive: as many as there are clients */
export function startFront(backend: Backend, socket: string, connections: number): Promise<Nginx> {
  const { protocol, keepAlive, extra = '' } = backend;
  const target = `unix:${socket}`;
  const upstream = keepAlive
    ? keepaliveUpstream('backend', target, connections)
    : `upstream backend { server ${target}; }\n`;
  const location = LOCATIONS[protocol]({ socket: 'backend', keepConn: keepAlive, extra });
  // nginx's default of 1000 requests a client connection would make wrk connect anew all the time.
  return startNginx({
    http: upstream,
    servers: serverBlock(`access_log off;\nkeepalive_requests 1000000000;\n${location}`),
  });
}
