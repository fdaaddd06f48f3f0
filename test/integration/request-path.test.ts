// The table of request URIs against the nginx at hand: what it makes of them is what the gateway has to make of them too.
import { expect } from 'chai';
import { rawExchange } from '../helpers/http-client.ts';
import { type Nginx, serverBlock, startNginx } from '../helpers/nginx.ts';
import { PATH_CASES } from '../unit/gateway/path-cases.ts';

describe("nginx's $uri", () => {
  let nginx: Nginx;
  before(async () => {
    nginx = await startNginx({ servers: serverBlock('location / { return 200 $uri; }\n') });
  });
  after(() => nginx.stop());

  for (const { uri, nginx: wanted } of PATH_CASES) {
    it(`${JSON.stringify(uri)} is ${wanted === null ? 'refused' : JSON.stringify(wanted)}`, async () => {
      const request = `GET ${uri} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n`;
      const answer = (await rawExchange(nginx, Buffer.from(request, 'latin1'))).toString('latin1');
      const [head = '', body] = answer.split('\r\n\r\n', 2);
      const path = head.startsWith('HTTP/1.1 200 ') ? body : null;
      expect(path).to.equal(wanted);
      if (path === null) expect(head).to.match(/^HTTP\/1\.1 400 /);
    });
  }
});
