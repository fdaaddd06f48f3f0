// The files of deploy/ for Prometheus and Grafana: promtool takes them, each alert fires when it has to, and they ask for
// metrics and labels that exist.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { everyFamily, everyMetric, type FamilyAbout } from '../helpers/every-metric.ts';
import { projectRoot } from '../helpers/project.ts';
import { promtool } from '../helpers/prometheus.ts';
import { makeTempDir, removeTempDir } from '../helpers/temp.ts';

const read = (path: string): string => readFileSync(join(projectRoot, path), 'utf8');

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat?: string }[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
}

const alerts = (parse(read('deploy/alerts.yml')) as { groups: { rules: Alert[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);
const dashboard = JSON.parse(read('deploy/grafana-dashboard.json')) as Dashboard;
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

/** Labels that Prometheus adds, and a histogram's own. */
const EVERYWHERE = ['job', 'instance', 'le'];
const NAME = /\b(?:viaduct|http_server|process|nodejs)_[a-z0-9_]+|\bup\b/g;

/** Every metric and label in an expression that does not exist. */
function unknownIn(expr: string, families: readonly FamilyAbout[]): string[] {
  const labelsOf = new Map(families.map(({ name, labels }) => [name, labels]));
  labelsOf.set('up', []);
  const familyOf = (name: string): string =>
    labelsOf.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
  const names = (expr.match(NAME) ?? []).map(familyOf);
  const unknown = names.filter((name) => !labelsOf.has(name));
  const known = new Set([...EVERYWHERE, ...names.flatMap((name) => labelsOf.get(name) ?? [])]);
  const grouped = [...expr.matchAll(/\b(?:by|on|without) \(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  );
  for (const [, name = '', list = ''] of expr.matchAll(/([a-z_]+)\{([^}]*)\}/g)) {
    const own = new Set([...EVERYWHERE, ...(labelsOf.get(familyOf(name)) ?? [])]);
    for (const [, label = ''] of list.matchAll(/([a-z_]+)\s*[=!]/g))
      if (!own.has(label)) unknown.push(`${name}{${label}}`);
  }
  return [...unknown, ...grouped.filter((label) => !known.has(label)).map((label) => `by (${label})`)];
}

describe('deploy/ for Prometheus', () => {
  it('is a configuration and rules that promtool takes', () => {
    const { code, output } = promtool(['check', 'config', 'deploy/prometheus.yml']);
    expect(code, output).to.equal(0);
    expect(output).to.include(`${alerts.length} rules found`);
  });

  it('has alerts that fire when they have to, and only then', () => {
    const { code, output } = promtool(['test', 'rules', 'test/fixtures/alerts.test.yml']);
    expect(code, output).to.equal(0);
    const tests = read('test/fixtures/alerts.test.yml');
    expect(
      alerts.filter(({ alert }) => !tests.includes(`"${alert}"`)).map(({ alert }) => alert),
    ).to.deep.equal([]);
  });

  it('asks for metrics and labels that exist', async () => {
    const families = await everyFamily();
    expect(alerts.flatMap(({ expr }) => unknownIn(expr, families))).to.deep.equal([]);
  });

  it('says of each alert how bad it is, what it means and what to do', () => {
    for (const { alert, labels, annotations } of alerts) {
      expect(labels.severity, alert).to.be.oneOf(['critical', 'warning']);
      expect(annotations.summary, alert).to.match(/\{\{ \$labels\.instance \}\}/);
      expect(annotations.description.length, alert).to.be.greaterThan(50);
    }
  });

  it('has metrics that promtool finds no fault with', async () => {
    const { text } = await everyMetric().render();
    const { output } = promtool(['check', 'metrics'], text);
    const ours = output.split('\n').filter((line) => line !== '' && !line.startsWith('nodejs_'));
    expect(ours).to.deep.equal([]);
  });
});

describe('deploy/grafana-dashboard.json', () => {
  const VARIABLES = /\$(__rate_interval|job|instance|mount)\b/g;
  const filled = (expr: string): string =>
    expr.replaceAll(VARIABLES, (_, name: string) => (name === '__rate_interval' ? '1m' : '.*'));

  it('asks for metrics and labels that exist', async () => {
    const families = await everyFamily();
    const others = [
      ...dashboard.annotations.list.map(({ expr }) => expr),
      ...dashboard.templating.list.flatMap(({ definition }) => definition?.match(/\((.+\}|\w+),/)?.[1] ?? []),
    ];
    expect(others).to.have.lengthOf(4);
    expect([...queries, ...others].flatMap((expr) => unknownIn(filled(expr), families))).to.deep.equal([]);
    expect(queries.length).to.be.greaterThan(40);
  });

  it('has queries that Prometheus can read', async () => {
    const dir = await makeTempDir();
    const rules = queries.map((expr, at) => ({ record: `query:${at}`, expr: filled(expr) }));
    await writeFile(join(dir, 'rules.yml'), stringify({ groups: [{ name: 'dashboard', rules }] }));
    const { code, output } = promtool(['check', 'rules', join(dir, 'rules.yml')]);
    await removeTempDir(dir);
    expect(code, output).to.equal(0);
  });

  it('shows every metric of viaduct but those about itself', async () => {
    const text = JSON.stringify(dashboard);
    const shown = (name: string): boolean => new RegExp(`\\b${name}(_bucket)?\\b`).test(text);
    const ours = (await everyFamily())
      .map(({ name }) => name)
      .filter((name) => /^(viaduct|http_server)_/.test(name));
    expect(ours.filter((name) => !shown(name))).to.deep.equal([
      'viaduct_reload_duration_seconds',
      'viaduct_config_last_reload_success_timestamp_seconds',
    ]);
  });

  it('has panels that say what they show, in their legends only what is there, and none over another', async () => {
    const families = await everyFamily();
    const cells = new Set<string>();
    for (const { title, type, description = '', gridPos, targets = [] } of dashboard.panels) {
      if (type !== 'row') expect(description, title).to.not.equal('');
      for (const { expr, legendFormat = '' } of targets) {
        const labels = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
        const names = (expr.match(NAME) ?? []).map((name) => name.replace(/_bucket$/, ''));
        const own = families.filter(({ name }) => names.includes(name)).flatMap((family) => family.labels);
        expect([...own, 'instance'], `${title}: ${legendFormat}`).to.include.members(labels);
      }
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        expect(x, title).to.be.below(24);
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(cells.has(`${x} ${y}`), title).to.equal(false);
          cells.add(`${x} ${y}`);
        }
      }
    }
  });
});

describe('unknownIn()', () => {
  it('finds what the tests above would have to find', async () => {
    const families = await everyFamily();
    const find = (expr: string): string[] => unknownIn(expr, families);
    expect(find('viaduct_requests')).to.deep.equal(['viaduct_requests']);
    expect(find('viaduct_requests_total{status="5"}')).to.deep.equal(['viaduct_requests_total{status}']);
    expect(find('sum by (path) (viaduct_queue_depth)')).to.deep.equal(['by (path)']);
    expect(
      find('sum by (mount, le) (rate(viaduct_queue_wait_seconds_bucket{mount=~"a"}[5m]))'),
    ).to.deep.equal([]);
  });
});
