// The bridge under a heavy transfer: one nginx, one daemon behind it, both made new for each scenario.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from '../../test/helpers/http-client.ts';
import {
  fastcgiLocation,
  keepaliveUpstream,
  type Nginx,
  serverBlock,
  startNginx,
  uwsgiLocation,
} from '../../test/helpers/nginx.ts';
import { projectRoot } from '../../test/helpers/project.ts';
import { makeTempDir, removeTempDir } from '../../test/helpers/temp.ts';
import type { Child } from '../lib/child.ts';
import { startViaduct } from '../lib/viaduct.ts';

export type Protocol = 'fastcgi' | 'uwsgi';

/** Bytes since the daemon began: what its app took from wsgi.input, and what it gave as a body. */
export interface Progress {
  readonly read: number;
  readonly produced: number;
}

export interface Bridge {
  /** Of nginx, on 127.0.0.1. */
  readonly port: number;
  readonly daemon: Child;
  /** Asks the app over a socket of its own, so that it answers while a transfer stands still. */
  progress(): Promise<Progress>;
  /** Ends both and removes their folders, nginx's temporary files too. */
  stop(): Promise<void>;
}

const APPS = join(projectRoot, 'dist/bench/apps/transfer.js');

/**
 * @param buffered nginx's buffering of requests and responses, in temporary files where they are large
 * @param nodeArgs for the daemon's node
 */
export async function startBridge(
  protocol: Protocol,
  buffered: boolean,
  nodeArgs: readonly string[] = [],
): Promise<Bridge> {
  const dir = await makeTempDir();
  const socket = join(dir, 'app.sock');
  const side = join(dir, 'side.sock');
  await mkdir(join(dir, 'run'));
  const daemon = await startViaduct({
    dir,
    listeners: [
      { protocol, socket },
      { protocol: 'http', socket: side },
    ],
    mounts: { '/upload': `${APPS}:upload`, '/download': `${APPS}:download`, '/progress': `${APPS}:told` },
    nodeArgs,
  });
  const progress = async (): Promise<Progress> => {
    const { text } = await request({ socketPath: side, path: '/progress' });
    return JSON.parse(text) as Progress;
  };
  let nginx: Nginx;
  try {
    // Once it answers, the apps are loaded, and what the first request costs in memory is spent.
    await progress();
    nginx = await startNginx(frontServer(protocol, socket, buffered));
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  const stop = async (): Promise<void> => {
    await daemon.stop();
    await nginx.stop();
    await removeTempDir(dir);
  };
  return { port: nginx.port, daemon, progress, stop };
}

function frontServer(
  protocol: Protocol,
  socket: string,
  buffered: boolean,
): { servers: string; http: string } {
  const toggles = { buffering: buffered, requestBuffering: buffered };
  const location =
    protocol === 'fastcgi'
      ? fastcgiLocation({ socket: 'daemon', keepConn: true, ...toggles })
      : uwsgiLocation({ socket: 'daemon', ...toggles });
  const upstream =
    protocol === 'fastcgi'
      ? keepaliveUpstream('daemon', `unix:${socket}`)
      : `upstream daemon { server unix:${socket}; }\n`;
  const http = `client_max_body_size 0;\n${protocol}_read_timeout 600s;\n${protocol}_send_timeout 600s;\n${upstream}`;
  return { servers: serverBlock(location), http };
}
