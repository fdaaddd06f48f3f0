// Loading what a mount names: what is said of a file that does not parse.
import { expect } from 'chai';
import { existsSync, readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { LoadError } from '../../../src/apps/load-error.ts';
import { loadApplication, type ScriptInterface } from '../../../src/apps/loader.ts';
import type { Application } from '../../../src/gateway/contract.ts';
import { FastRequest, FastResponse } from '../../../src/apps/fetch/globals.ts';
import { makeEnviron, serve } from '../../helpers/mini-gateway.ts';
import { useFolder } from '../config/fixture.ts';

describe('loadApplication, of a file that does not parse', () => {
  const folder = useFolder();

  async function failure(name: string): Promise<LoadError> {
    const file = join(folder.path, name);
    try {
      await loadApplication({ kind: 'file', file, exportName: null }, 'wsgi', 10_000);
    } catch (error) {
      if (error instanceof LoadError) return error;
      throw error;
    }
    throw new Error(`${name} was loaded`);
  }

  const stackOf = ({ cause }: LoadError): string => (cause instanceof Error ? (cause.stack ?? '') : '');

  it('names file and line, and shows the code', async () => {
    const file = folder.write('app.mjs', '// fine\nexport const = 5;\n');
    const error = await failure('app.mjs');
    expect(error.message).to.equal(`Cannot load ${file}: Unexpected token '=' at ${file}:2`);
    expect(stackOf(error)).to.match(
      /app\.mjs:2\nexport const = 5;\n +\^\n\nSyntaxError: Unexpected token '='\n/,
    );
  });

  it('names the imported file it is in, and runs nothing to find it', async () => {
    const ran = join(folder.path, 'ran');
    folder.write(
      'side.mjs',
      `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(ran)}, '');\n`,
    );
    const lib = folder.write('lib.mjs', '\n\nreturn }\n');
    const app = folder.write('app.mjs', `import './side.mjs';\nimport './lib.mjs';\n`);
    expect((await failure('app.mjs')).message).to.equal(
      `Cannot load ${app}: Illegal return statement at ${lib}:3`,
    );
    expect(existsSync(ran)).to.equal(false);
  });

  it('runs no code a second time to find it, where the code asked for the file while it ran', async () => {
    const runs = join(folder.path, 'runs');
    folder.write('lib.mjs', 'return }\n');
    folder.write(
      'app.mjs',
      `import { appendFileSync } from 'node:fs';\nappendFileSync(${JSON.stringify(runs)}, 'x');\nawait import('./lib.mjs');\n`,
    );
    expect((await failure('app.mjs')).message).to.match(/Illegal return statement/);
    expect(readFileSync(runs, 'utf8')).to.equal('x');
  });

  it('names the line of an import that the other file does not have', async () => {
    folder.write('lib.mjs', 'export const there = 1;\n');
    const app = folder.write('app.mjs', `\nimport { gone } from './lib.mjs';\ngone();\n`);
    expect((await failure('app.mjs')).message).to.match(/ does not provide an export named 'gone' at /);
    expect((await failure('app.mjs')).message.endsWith(`at ${app}:2`)).to.equal(true);
  });

  it('leaves an error alone that the code has thrown while it ran', async () => {
    const app = folder.write('app.mjs', `JSON.parse('{');\n`);
    const error = await failure('app.mjs');
    expect(error.message.startsWith(`Cannot load ${app}: `)).to.equal(true);
    expect(error.message).to.not.match(/ at \//);
    expect(stackOf(error)).to.match(/app\.mjs:1:6/);
  });
});

describe('loadApplication, of a fetch app', () => {
  const folder = useFolder();
  const platform = (['Request', 'Response', 'fetch'] as const).map(
    (name) => [name, globalThis[name]] as const,
  );
  after(() => {
    for (const [name, value] of platform) Object.assign(globalThis, { [name]: value });
  });

  it('has the globals in place before the file is loaded, and gives it the values of the mount', async () => {
    const file = folder.write(
      'app.mjs',
      'const found = new Response("x");\nexport default (request, env) => new Response(`${found.constructor === Response} ${env.KEY}`);\n',
    );
    const reference = { kind: 'file', file, exportName: null } as const;
    const app = await loadApplication(reference, 'fetch', 10_000, { KEY: 'value' });
    expect(globalThis.Response).to.equal(FastResponse);
    expect(globalThis.Request).to.equal(FastRequest);
    // An answer without a promise: the response was a light one.
    const answered = app(makeEnviron({ REQUEST_URI: '/' }), () => async () => undefined);
    expect(answered).to.deep.equal([Buffer.from('true value')]);
  });
});

describe('loadApplication, of a promise of an app', () => {
  const folder = useFolder();
  const load = (text: string, kind: ScriptInterface, timeout = 10_000): Promise<Application> =>
    loadApplication(
      { kind: 'file', file: folder.write(`${kind}.mjs`, text), exportName: null },
      kind,
      timeout,
    );
  const KEPT: Readonly<Record<ScriptInterface, string>> = {
    wsgi: '(environ, startResponse) => (startResponse("200 OK", []), [Buffer.from("kept")])',
    node: '(req, res) => res.end("kept")',
    fetch: '{ fetch: () => new Response("kept") }',
  };

  for (const kind of Object.keys(KEPT) as ScriptInterface[]) {
    it(`takes one that is kept, ${kind}`, async () => {
      const app = await load(`export default Promise.resolve(${KEPT[kind]});\n`, kind);
      const { text } = await serve(app, makeEnviron({ REQUEST_URI: '/' }));
      expect(text).to.equal('kept');
    });

    it(`says where the one is that fails, and why, ${kind}`, async () => {
      const failing = 'export default (async function start() { throw new Error("db is down"); })();\n';
      const error = await load(failing, kind).catch((reason: unknown) => reason as LoadError);
      expect(error).to.be.instanceOf(LoadError);
      const { message, cause } = error as LoadError;
      expect(message).to.equal(`Cannot boot ${join(folder.path, `${kind}.mjs`)}: db is down`);
      expect((cause as Error).stack).to.match(/at start .*mjs:1:/);
    });

    it(`gives up on one that is not kept in time, ${kind}`, async () => {
      const error = await load('export default new Promise(() => {});\n', kind, 20).catch(String);
      expect(error).to.match(/Cannot boot .*mjs: it did not finish within 20 ms \(timeouts\.boot\)$/);
    });
  }
});

describe('loadApplication, of an app that listens itself', () => {
  const folder = useFolder();

  it('warns, and of that one alone', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const load = (name: string, text: string): Promise<Application> =>
      loadApplication({ kind: 'file', file: folder.write(name, text), exportName: null }, 'node', 10_000);
    const handler = '(req, res) => res.end("x")';
    const listening = `import { createServer } from 'node:http';
export const server = createServer(${handler}).listen(0, '127.0.0.1');
await new Promise((resolve) => server.on('listening', resolve));
export default ${handler};
`;
    try {
      await load('quiet.mjs', `export default ${handler};\n`);
      await load('listening.mjs', listening);
      await load('after.mjs', `export default ${handler};\n`);
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('warning', onWarning);
      const { server } = (await import(join(folder.path, 'listening.mjs'))) as { server: Server };
      server.close();
    }
    expect(warnings.map(({ message }) => message)).to.deep.equal([
      `${join(folder.path, 'listening.mjs')} listens on a port of its own: leave out its listen() where viaduct loads it, requests come from viaduct`,
    ]);
  });
});
