// The command line of `viaduct request`: what is refused, and how.
import { expect } from 'chai';
import { parseRequestArgs, readBody } from '../../../src/cli/request-args.ts';
import { runRequest } from '../../../src/cli/request.ts';
import { FakeIo } from './scripted-peer.ts';

describe('usage of viaduct request', () => {
  const base = ['--socket', 'unix:/s', '--protocol', 'fastcgi'];
  const wrong: [string[], RegExp][] = [
    [[], /0 arguments were given/],
    [['GET', '/'], /--protocol is missing/],
    [['--protocol', 'fastcgi', 'GET', '/'], /--socket is missing/],
    [
      ['--socket', 'unix:/s', '--protocol', 'ftp', 'GET', '/'],
      /--protocol 'ftp' failed, wanted fastcgi, uwsgi/,
    ],
    [['--socket', '/s', '--protocol', 'fastcgi', 'GET', '/'], /needs 'unix:'/],
    [[...base, 'GET'], /1 arguments were given/],
    [[...base, 'GET', '/', 'x'], /3 arguments were given/],
    [[...base, 'G T', '/'], /METHOD 'G T'/],
    [[...base, 'GET', 'x'], /does not begin with '\/'/],
    [[...base, 'GET', '/%zz'], /'%zz' is no escape/],
    [[...base, 'GET', '/', '-H', 'nocolon'], /-H 'nocolon' failed/],
    [[...base, 'GET', '/', '-H', 'A: b\r\nC: d'], /control character/],
    [[...base, 'GET', '/', '-p', '=x'], /-p '=x' failed/],
    [[...base, 'GET', '/', '--timeout', '30'], /--timeout '30' failed/],
    [[...base, 'GET', '/', '--timeout', '0s'], /--timeout '0s' failed/],
    [[...base, 'GET', '/', '-d', 'a', '-d', 'b'], /-d was given more than once/],
    [[...base, 'GET', '/', '--nope'], /--nope/],
    [['--socket', 'unix:/s', '--protocol', 'http', 'GET', '/', '-p', 'A=b'], /HTTP carries no CGI params/],
    [['--socket', 'unix:/s', '--protocol', 'uwsgi', 'GET', '/', '--keep-conn'], /wanted fastcgi/],
  ];
  for (const [argv, message] of wrong) {
    it(`refuses ${JSON.stringify(argv)}`, async () => {
      const io = new FakeIo();
      expect(await runRequest(argv, io)).to.equal(64);
      expect(io.err)
        .to.match(message)
        .and.to.match(/^viaduct request: [^\n]+\n$/);
      expect(io.out).to.equal('');
    });
  }

  it('is printed on --help', async () => {
    const io = new FakeIo();
    expect(await runRequest(['--help'], io)).to.equal(0);
    expect(io.out).to.match(/^usage: viaduct request/);
  });
});

describe('parseRequestArgs', () => {
  const base = ['--socket', 'unix:s', '--protocol', 'fastcgi', 'GET', '/é'];

  it('turns the command line into values', () => {
    const argv = [...base, '-H', 'X-E:', '-H', 'Y: é', '-p', 'A=b=c', '-d', 'x', '--keep-conn'];
    expect(parseRequestArgs(argv, '/srv')).to.deep.equal({
      address: { kind: 'unix', path: '/srv/s' },
      protocol: 'fastcgi',
      method: 'GET',
      target: '/%C3%A9',
      headers: [
        ['X-E', ''],
        ['Y', '\xc3\xa9'],
      ],
      params: [['A', 'b=c']],
      data: 'x',
      timeoutMs: 30_000,
      keepConn: true,
    });
  });

  for (const [text, ms] of [
    ['500ms', 500],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ] as const) {
    it(`reads --timeout ${text}`, () => {
      expect(parseRequestArgs([...base, '--timeout', text], '/')).to.have.property('timeoutMs', ms);
    });
  }
});

describe('readBody', () => {
  const { stdin } = new FakeIo([Buffer.from([0]), Buffer.from([255])]);

  it('takes text, a file or standard input', async () => {
    expect(await readBody(null, '/', stdin)).to.equal(null);
    expect(await readBody('é', '/', stdin)).to.deep.equal(Buffer.from('é'));
    expect(await readBody('@-', '/', stdin)).to.deep.equal(Buffer.from([0, 255]));
    const url = new URL(import.meta.url);
    expect((await readBody(`@.${url.pathname}`, '/', stdin))?.includes('standard input')).to.equal(true);
  });
});
