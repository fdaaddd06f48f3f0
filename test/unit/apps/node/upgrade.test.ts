// Upgrades for an app of node:http where the way carries none: a 501, and a line that says what to do.
import { createServer } from 'node:http';
import { expect } from 'chai';
import { handleUpgrade } from '../../../../src/apps/node/upgrade.ts';
import { makeEnviron, MemoryErrors, serve } from '../../../helpers/mini-gateway.ts';

const WHY = 'nginx opens no tunnel over FastCGI: use uwsgi_pass, scgi_pass or proxy_pass';

describe('an upgrade without viaduct.upgrade', () => {
  it('gets a 501, and one log line a mount', async () => {
    let called = false;
    const server = createServer().on('upgrade', () => (called = true));
    const errors = new MemoryErrors();
    const ask = (mount: string): ReturnType<typeof serve> =>
      serve(
        (environ, startResponse) => handleUpgrade(environ, startResponse, server),
        makeEnviron({ HTTP_UPGRADE: 'websocket', 'wsgi.errors': errors, 'viaduct.mount': mount }),
      );
    const first = await ask('one of these tests');
    expect(first.status).to.equal('501 Not Implemented');
    expect(first.text).to.include(WHY);
    await ask('one of these tests');
    await ask('another of these tests');
    const lines = errors.text.trimEnd().split('\n');
    expect(lines).to.have.lengthOf(2);
    expect(lines[0]).to.include(
      `Refused upgrade to "websocket" with 501 (mount one of these tests, path /app/path): ${WHY}`,
    );
    expect(lines[1]).to.include('mount another of these tests');
    expect(called).to.equal(false);
  });
});
