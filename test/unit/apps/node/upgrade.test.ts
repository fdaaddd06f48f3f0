// Upgrades for an app of node:http that come to nothing: the way carries none (a 501, and a line that says what to do), or the app refuses.
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { expect } from 'chai';
import { handleUpgrade } from '../../../../src/apps/node/upgrade.ts';
import { makeEnviron, MemoryErrors, serve } from '../../../helpers/mini-gateway.ts';

const WHY = 'nginx opens no tunnel over FastCGI: use uwsgi_pass, scgi_pass or proxy_pass';

describe('an upgrade without viaduct.upgrade', () => {
  it('gets a 501, and a line for the log', async () => {
    let called = false;
    const server = createServer().on('upgrade', () => (called = true));
    const errors = new MemoryErrors();
    const { status, text } = await serve(
      (environ, startResponse) => handleUpgrade(environ, startResponse, server),
      makeEnviron({ HTTP_UPGRADE: 'websocket', 'wsgi.errors': errors }),
    );
    expect(status).to.equal('501 Not Implemented');
    expect(text).to.include(WHY);
    expect(errors.text).to.match(/^Refused upgrade with 501: .* \(asked for "websocket"\)\n$/);
    expect(errors.text).to.include(WHY);
    expect(called).to.equal(false);
  });
});

describe('an upgrade that is refused', () => {
  const refuse = (listener: (socket: Duplex) => void): ReturnType<typeof serve> => {
    const server = createServer().on('upgrade', (_req, socket) => listener(socket));
    const upgrade = (): never => {
      throw new Error('nobody wants it');
    };
    const environ = makeEnviron({ HTTP_UPGRADE: 'websocket', 'viaduct.upgrade': upgrade });
    return serve((own, startResponse) => handleUpgrade(own, startResponse, server), environ);
  };

  it('has the head that was written before destroy() as its answer', async () => {
    const { status } = await refuse((socket) => {
      socket.write('HTTP/1.1 401 Unauthorized\r\n\r\n');
      socket.destroy();
    });
    expect(status).to.equal('401 Unauthorized');
  });

  it('has all that was written before destroy(), in however many writes', async () => {
    const { status, headers, text } = await refuse((socket) => {
      socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nX-Why: rules\r\n\r\n');
      for (const piece of ['no', 'pe', '!\n']) socket.write(piece);
      socket.destroy();
    });
    expect(status).to.equal('403 Forbidden');
    expect(headers).to.deep.include(['X-Why', 'rules']);
    expect(text).to.equal('nope!\n');
  });

  it('fails where nothing, or half a head, was written', async () => {
    for (const said of ['', 'HTTP/1.1 401 Unauthorized\r\n']) {
      const failure = await refuse((socket) => {
        socket.write(said);
        socket.destroy();
      }).catch(String);
      expect(failure).to.include('The upgrade listener destroyed its socket without an answer');
    }
  });
});
