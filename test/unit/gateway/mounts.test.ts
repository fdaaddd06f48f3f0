// Which mount answers: host before wildcard before none, then the longest path at a "/" boundary.
import { expect } from 'chai';
import { hostName, hostPort, type MountPoint, MountTable } from '../../../src/gateway/mounts.ts';

/** Mounts from "host/path" texts; no host is "/path". */
function tableOf(...places: readonly string[]): (path: string, host?: string) => string | null {
  const mounts: MountPoint[] = places.map((place) => {
    const slash = place.indexOf('/');
    const path = place.slice(slash);
    return { host: slash === 0 ? null : place.slice(0, slash), path: path === '/' ? '' : path };
  });
  const table = new MountTable(mounts);
  return (path, host = '') => {
    const mount = table.find(path, host);
    return mount === null ? null : `${mount.host ?? ''}${mount.path === '' ? '/' : mount.path}`;
  };
}

describe('mounts', () => {
  it('the longest prefix at a "/" boundary answers, in whatever order they are given', () => {
    for (const places of [
      ['/', '/app', '/app/sub', '/other'],
      ['/app/sub', '/other', '/app', '/'],
    ]) {
      const find = tableOf(...places);
      const cases = {
        '/': '/',
        '/app': '/app',
        '/app/': '/app',
        '/app/x': '/app',
        '/appx': '/',
        '/ap': '/',
        '/app/sub': '/app/sub',
        '/app/sub/x': '/app/sub',
        '/app/subx': '/app',
        '/other/app': '/other',
      };
      for (const [path, wanted] of Object.entries(cases)) expect(find(path), path).to.equal(wanted);
    }
  });

  it('nothing answers where no mount has the path', () => {
    const find = tableOf('/app', 'example.com/only');
    expect([find('/'), find('/appx'), find(''), find('/only'), find('/only', 'example.org')]).to.deep.equal([
      null,
      null,
      null,
      null,
      null,
    ]);
    expect(tableOf()('/')).to.equal(null);
  });

  it('an exact host goes before a wildcard, a long wildcard before a short one, both before none', () => {
    const find = tableOf('/', '*.example.com/', 'www.example.com/', '*.sub.example.com/');
    expect(find('/', 'www.example.com')).to.equal('www.example.com/');
    expect(find('/', 'other.example.com')).to.equal('*.example.com/');
    expect(find('/', 'a.sub.example.com')).to.equal('*.sub.example.com/');
    expect(find('/', 'a.b.example.com')).to.equal('*.example.com/');
    expect(find('/', 'example.org')).to.equal('/');
    expect(find('/', '')).to.equal('/');
  });

  it('a wildcard is not its bare domain, nor a name that only ends like it', () => {
    const find = tableOf('*.example.com/');
    expect([find('/', 'example.com'), find('/', '.example.com'), find('/', 'badexample.com')]).to.deep.equal([
      null,
      null,
      null,
    ]);
    expect(find('/', 'x.example.com')).to.equal('*.example.com/');
  });

  it('a host whose mounts lack the path leaves it to the next group', () => {
    const find = tableOf('/', '*.example.com/b', 'www.example.com/a');
    expect(find('/a/x', 'www.example.com')).to.equal('www.example.com/a');
    expect(find('/b/x', 'www.example.com')).to.equal('*.example.com/b');
    expect(find('/c/x', 'www.example.com')).to.equal('/');
  });

  it('hosts count without case, port and final dot', () => {
    const find = tableOf('Example.COM/', '*.Wild.org/', '[::1]/');
    for (const host of ['example.com', 'EXAMPLE.com:8080', 'example.com.', 'example.com.:80']) {
      expect(find('/', host), host).to.equal('Example.COM/');
    }
    expect(find('/', 'A.wild.ORG:1')).to.equal('*.Wild.org/');
    expect(find('/', '[::1]:8080')).to.equal('[::1]/');
  });

  it('names from a Host header cannot reach anything inherited', () => {
    const find = tableOf('example.com/');
    for (const host of ['__proto__', 'constructor', 'toString']) expect(find('/', host)).to.equal(null);
  });

  it('hostName and hostPort take a Host header apart', () => {
    const cases: [string, string, string][] = [
      ['example.com', 'example.com', ''],
      ['Example.com:8080', 'example.com', '8080'],
      ['example.com.', 'example.com', ''],
      ['[::1]', '[::1]', ''],
      ['[2001:DB8::1]:443', '[2001:db8::1]', '443'],
      ['127.0.0.1:80', '127.0.0.1', '80'],
      ['example.com:', 'example.com', ''],
      ['example.com:abc', 'example.com', ''],
      ['example.com:123456', 'example.com', ''],
      ['', '', ''],
    ];
    for (const [header, name, port] of cases) {
      expect([hostName(header), hostPort(header)], header).to.deep.equal([name, port]);
    }
  });
});
