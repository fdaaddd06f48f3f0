import { expect } from 'chai';
import { watchPlan } from '../../../../src/runtime/watch/watch-plan.ts';
import { load, useFolder } from '../../config/fixture.ts';

describe('runtime/watch/watch-plan', () => {
  const folder = useFolder();
  const plan = (mounts: string, more = ''): ReturnType<typeof watchPlan> =>
    watchPlan(load(folder, `listeners: [{address: unix:v.sock, protocol: http}]\nmounts:\n${mounts}${more}`));
  const at = (path: string): string => `${folder.path}/${path}`;

  it('has the folders of apps, middleware and Python, each once, and none within another', () => {
    const { roots } =
      plan(`  - {path: /a, app: ./a/app.js, middleware: [./m/x.js, viaduct:lint, ./a/lib/y.js]}
  - {path: /b, app: ./a/lib/deep/app.ts}
  - {path: /c, app: "pkg:app", interface: python, python: {chdir: site, path: [lib]}}
  - {path: /d, app: py/d.wsgi, interface: python, python: {chdir: site}}
  - {path: /e, app: viaduct:hello}
  - {path: /f, app: ./node_modules/ready/app.js}
  - {path: /g, app: ./ab/app.js}
`);
    expect(roots).to.have.members([at('a'), at('m'), at('site'), at('lib'), at('py'), at('ab')]);
  });

  it('counts sources and the configuration, and nothing that an app or viaduct writes', () => {
    const found = plan(
      '  - {path: /, app: ./app.js}\n',
      'run_dir: var\nlog: {file: app.log.json, access: {file: a.js}}\n',
    );
    const yes = ['app.js', 'a/b.TS', 'x.mjs', 'views/x.html', '.env', '.env.local', 'data.json', 'x.py'];
    const no = [
      'x.sqlite',
      'x.log',
      'x',
      '.app.js',
      '#app.js#',
      'app.js~',
      'var/x.js',
      'app.log.json',
      'a.js',
    ];
    expect(yes.filter((name) => !found.counts(at(name)))).to.deep.equal([]);
    expect(no.filter((name) => found.counts(at(name)))).to.deep.equal([]);
    expect(found.counts(`${folder.path}-beside/x.js`)).to.equal(false);
    expect(plan('  - {path: /, app: viaduct:hello}\n').roots).to.deep.equal([]);
  });
});
