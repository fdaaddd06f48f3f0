// viaduct:basic-auth: who gets in, what the application is told, and what it costs.
import { expect } from 'chai';
import { createHash, scryptSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readHtpasswd } from '../../../../src/apps/middleware/htpasswd.ts';
import { PasswordTable } from '../../../../src/apps/middleware/verify-password.ts';
import { parsePassword } from '../../../../src/config/password.ts';
import type { FakeExchange } from '../../../helpers/fake-exchange.ts';
import { makeTempDir, removeTempDir } from '../../../helpers/temp.ts';
import { Seen, Stand, wrap } from './stand.ts';

/** As passlib writes them. */
function scryptHash(password: string, ln = 4): string {
  const salt = Buffer.from('a salt of bytes!');
  const base64 = (data: Buffer): string => data.toString('base64').replaceAll('=', '');
  const hash = scryptSync(password, salt, 32, { cost: 2 ** ln, blockSize: 8, parallelization: 1 });
  return `$scrypt$ln=${ln},r=8,p=1$${base64(salt)}$${base64(hash)}`;
}

const digest = (scheme: string, password: string): string =>
  `{${scheme}}${createHash(scheme === 'SHA' ? 'sha1' : 'sha256')
    .update(password)
    .digest('base64')}`;

const USERS: Record<string, string> = {
  plain: 'open: sesame',
  braces: '{PLAIN}{SHA}x',
  sha: digest('SHA', 'one'),
  sha256: digest('SHA256', 'two'),
  scrypt: scryptHash('three'),
  'j\u00fcrgen': 'gr\u00fc\u00df',
};

const basic = (text: string, encoding: BufferEncoding = 'utf8'): string =>
  `Basic ${Buffer.from(text, encoding).toString('base64')}`;

describe('viaduct:basic-auth', () => {
  const seen = new Seen();
  let stand: Stand;
  before(async () => {
    stand = await Stand.make(seen.app, [['viaduct:basic-auth', { users: USERS, realm: 'The "Team"' }]]);
  });

  const ask = (authorization?: string): Promise<FakeExchange> =>
    stand.get('/', {
      // nginx's uwsgi_params have it from the same header, without a look at the password.
      REMOTE_USER: 'root',
      AUTH_TYPE: 'Nobody',
      ...(authorization === undefined ? {} : { HTTP_AUTHORIZATION: authorization }),
    });

  const RIGHT: [string, string, string][] = [
    ['a plain password, with a colon', basic('plain:open: sesame'), 'plain'],
    ['a plain one that looks like a hash', basic('braces:{SHA}x'), 'braces'],
    ['{SHA}', basic('sha:one'), 'sha'],
    ['{SHA256}', basic('sha256:two'), 'sha256'],
    ['$scrypt$', basic('scrypt:three'), 'scrypt'],
    ['UTF-8', basic('j\u00fcrgen:gr\u00fc\u00df'), 'j\u00c3\u00bcrgen'],
    ['Latin-1', basic('j\u00fcrgen:gr\u00fc\u00df', 'latin1'), 'j\u00c3\u00bcrgen'],
    ['a scheme in capital letters', basic('sha:one').replace('Basic', 'BASIC'), 'sha'],
    ['a value without padding', basic('sha256:two').replace(/=+$/, ''), 'sha256'],
  ];
  for (const [what, authorization, user] of RIGHT) {
    it(`lets in ${what}`, async () => {
      const answer = await ask(authorization);
      expect([answer.status, answer.sent]).to.deep.equal(['200 OK', 'from the app']);
      expect(seen.values('REMOTE_USER', 'AUTH_TYPE', 'HTTP_AUTHORIZATION')).to.deep.equal([
        user,
        'Basic',
        undefined,
      ]);
    });
  }

  it('tells the name in a header too, and the one only that it has found out', async () => {
    const options = { users: USERS, header: 'X-Remote-User' };
    const told = await Stand.make(seen.app, [['viaduct:basic-auth', options]]);
    const name = async (authorization: string, more: Record<string, string> = {}): Promise<unknown> => {
      const answer = await told.get('/', { HTTP_AUTHORIZATION: authorization, ...more });
      expect(answer.status).to.equal('200 OK');
      return seen.values('HTTP_X_REMOTE_USER')[0];
    };
    expect(await name(basic('sha:one'))).to.equal('sha');
    expect(await name(basic('sha:one'), { HTTP_X_REMOTE_USER: 'root' })).to.equal('sha');
    expect(await name(basic('j\u00fcrgen:gr\u00fc\u00df'))).to.equal('j\u00c3\u00bcrgen');
    await ask(basic('sha:one'));
    expect(seen.values('HTTP_X_REMOTE_USER'), 'without the option').to.deep.equal([undefined]);
  });

  const WRONG: [string, string | undefined][] = [
    ['nobody', undefined],
    ['a wrong password', basic('plain:open')],
    ['an empty password', basic('plain:')],
    ['the hash instead of its password', basic(`sha:${USERS['sha']}`)],
    ['a wrong one for {SHA256}', basic('sha256:one')],
    ['a wrong one for $scrypt$', basic('scrypt:four')],
    ['an unknown user', basic('nobody:open: sesame')],
    ['a name of every object', basic('constructor:x')],
    ['the password of another', basic('sha:two')],
    ['another scheme', 'Bearer x'],
    ['nothing after the scheme', 'Basic '],
    ['what is no base64', 'Basic sha:one'],
    ['what has no colon', basic('plain')],
    ['control characters', basic('plain:open: sesame\n')],
    ['a header without end', basic(`plain:${'x'.repeat(4096)}`)],
  ];
  for (const [what, authorization] of WRONG) {
    it(`keeps out ${what}`, async () => {
      const calls = seen.calls;
      const answer = await ask(authorization);
      expect(answer.status).to.equal('401 Unauthorized');
      expect(answer.header('www-authenticate')).to.equal(
        String.raw`Basic realm="The \"Team\"", charset="UTF-8"`,
      );
      expect(seen.calls).to.equal(calls);
      expect(answer.sent).to.not.include('plain');
      expect(stand.events.requests.at(-1)?.environ['REMOTE_USER'], 'what is logged').to.equal(undefined);
    });
  }

  it('answers at once where no scrypt has to run', async () => {
    const app = await wrap(() => [], 'viaduct:basic-auth', { users: USERS });
    const result = (authorization: string): unknown =>
      app(
        { HTTP_AUTHORIZATION: authorization, 'viaduct.request_id': 'x' } as never,
        () => async () => undefined,
      );
    expect(result(basic('sha:one'))).to.deep.equal([]);
    expect(result(basic('scrypt:three'))).to.be.instanceOf(Promise);
    await result(basic('scrypt:three'));
    expect(result(basic('scrypt:three'))).to.deep.equal([]);
    expect(result(basic('scrypt:three!'))).to.be.instanceOf(Promise);
  });
});

describe('viaduct:basic-auth, under a flood', () => {
  it('answers 503 once too many wait, and nobody else is kept out', async () => {
    const stand = await Stand.make(new Seen().app, [
      ['viaduct:basic-auth', { users: { a: scryptHash('x', 12), b: 'y' } }],
    ]);
    await stand.get('/', { HTTP_AUTHORIZATION: basic('a:x') });
    const flood = Array.from({ length: 70 }, (_, at) =>
      stand.begin({ params: ['HTTP_AUTHORIZATION', basic(`a:${at}`)] }),
    );
    const known = [basic('a:x'), basic('b:y')].map((text) =>
      stand.begin({ params: ['HTTP_AUTHORIZATION', text] }),
    );
    expect(known.map(({ status }) => status)).to.deep.equal(['200 OK', '200 OK']);
    await stand.settled();
    const shed = flood.filter(({ status }) => status === '503 Service Unavailable');
    expect(shed).to.have.lengthOf(6);
    expect(shed[0]?.header('retry-after')).to.equal('2');
    expect(flood.filter(({ status }) => status === '401 Unauthorized')).to.have.lengthOf(64);
  });
});

describe('PasswordTable', () => {
  const secret = (text: string): Buffer => Buffer.from(text);
  const table = (users: Record<string, string>): PasswordTable =>
    new PasswordTable(
      new Map(Object.entries(users).map(([name, text]) => [name, parsePassword(text, true)])),
    );

  it('computes once for those that ask at once, and not again', async () => {
    const users = table({ a: scryptHash('x') });
    const first = users.check('a', secret('x'));
    expect(users.check('a', secret('x'))).to.equal(first);
    expect(users.check('a', secret('y'))).to.not.equal(first);
    expect(await first).to.equal(true);
    expect(users.check('a', secret('x'))).to.equal(true);
    expect(await users.check('a', secret('y'))).to.equal(false);
    expect(users.check('a', secret('y')), 'a wrong one is not remembered').to.be.instanceOf(Promise);
  });

  it('lets no more than 64 wait', async () => {
    const users = table({ a: scryptHash('x') });
    const waiting = Array.from({ length: 64 }, (_, at) => users.check('a', secret(String(at))));
    expect(users.check('a', secret('64'))).to.equal(null);
    expect(users.check('a', secret('63')), 'one that waits already').to.equal(waiting[63]);
    for (const each of waiting) await each;
    expect(await users.check('a', secret('x'))).to.equal(true);
  });

  it('tells names and passwords apart', async () => {
    const users = table({ a: scryptHash('b c'), 'a b': scryptHash('c') });
    expect(await users.check('a', secret('b c'))).to.equal(true);
    expect(await users.check('a b', secret('b c'))).to.equal(false);
  });

  it('computes as much for a user that there is not', async () => {
    expect(await table({ a: scryptHash('x') }).check('b', secret('x'))).to.equal(false);
    expect(table({ a: scryptHash('x') }).check('b', secret('x'))).to.be.instanceOf(Promise);
    expect(table({}).check('b', secret(''))).to.equal(false);
  });

  it('forgets the password that was not used for longest', async () => {
    const names = Array.from({ length: 1026 }, (_, at) => `u${at}`);
    const hash = scryptHash('x', 1);
    const users = table(Object.fromEntries(names.map((name) => [name, hash])));
    for (const name of names.slice(0, 1024)) await users.check(name, secret('x'));
    expect(users.check('u0', secret('x')), 'used again').to.equal(true);
    for (const name of names.slice(1024)) await users.check(name, secret('x'));
    expect(users.check('u0', secret('x'))).to.equal(true);
    expect(users.check('u1', secret('x'))).to.be.instanceOf(Promise);
  });
});

describe('readHtpasswd', () => {
  let folder = '';
  let file = '';
  before(async () => {
    folder = await makeTempDir();
    file = join(folder, 'users');
  });
  after(() => removeTempDir(folder));

  it('reads names and hashes', async () => {
    writeFileSync(file, `# staff\r\n\n\u00fc x:${digest('SHA', 'one')}\r\nb:${scryptHash('two')}\n`);
    expect([...readHtpasswd(file)].map(([name, { kind }]) => [name, kind])).to.deep.equal([
      ['\u00fc x', 'digest'],
      ['b', 'scrypt'],
    ]);
    const seen = new Seen();
    const stand = await Stand.make(seen.app, [['viaduct:basic-auth', { file }]]);
    const answer = await stand.get('/', { HTTP_AUTHORIZATION: basic('b:two') });
    expect(answer.status).to.equal('200 OK');
  });

  const FORMS = '{SHA256}BASE64, {SHA}BASE64 or $scrypt$ln=LN,r=R,p=P$SALT$HASH';
  const CASES: [string, string][] = [
    ['a:$apr1$x$S3CRET', `line 1: Expected a hash as ${FORMS}, found an apr1 hash (htpasswd's default)`],
    ['\na:$2y$05$S3CRET', `line 2: Expected a hash as ${FORMS}, found a bcrypt hash (htpasswd -B)`],
    ['a:$6$x$S3CRET', `line 1: Expected a hash as ${FORMS}, found a sha512-crypt hash (htpasswd -5)`],
    ['a:{SSHA}S3CRET', `line 1: Expected a hash as ${FORMS}, found a hash of another kind`],
    ['a:S3CRET', `line 1: Expected a hash as ${FORMS}, found none of them`],
    ['a:{SHA}S3CRET', 'line 1: Expected 20 bytes in base64 after {SHA}, found 4 bytes'],
    ['S3CRET', 'line 1: Expected NAME:HASH, found no colon'],
    [':S3CRET', 'line 1: Expected NAME:HASH, found no name'],
    [`a:${digest('SHA', 'S3CRET')}\na:x`, 'line 2: the user "a" stands there twice'],
  ];
  for (const [content, message] of CASES) {
    it(`says what is wrong: ${message}`, () => {
      writeFileSync(file, content);
      expect(() => readHtpasswd(file)).to.throw(`Cannot use ${file}: ${message}`);
      expect(() => readHtpasswd(file)).to.not.throw('S3CRET');
    });
  }

  it('says that a file is not there, or no text', () => {
    expect(() => readHtpasswd(join(folder, 'none'))).to.throw(/^Cannot read .*\/none: ENOENT/);
    writeFileSync(file, Buffer.from('a\xff:b', 'latin1'));
    expect(() => readHtpasswd(file)).to.throw(`Cannot read ${file}: expected UTF-8 text`);
  });
});

describe('parsePassword', () => {
  const fails = (text: string): string => {
    try {
      parsePassword(text, true);
    } catch (error) {
      return String(error);
    }
    return '';
  };

  it('takes no scrypt that would cost too much, or is none', () => {
    const parts = scryptHash('x').split('$');
    const withCost = (cost: string): string => ['', 'scrypt', cost, parts[3], parts[4]].join('$');
    expect(fails(withCost('ln=15,r=8,p=1'))).to.equal('');
    for (const cost of ['ln=19,r=8,p=1', 'ln=0,r=8,p=1', 'ln=15,r=0,p=1', 'ln=15,r=8,p=17', 'ln=16,r=1,p=1'])
      expect(fails(withCost(cost)), cost).to.match(/at most 256 MB, with p at most 16, found ln=/);
    for (const text of ['$scrypt$', withCost('ln=15'), withCost('ln=15,r=8,p=1').slice(0, -40)])
      expect(fails(text)).to.match(/found something else after \$scrypt\$/);
  });
});
