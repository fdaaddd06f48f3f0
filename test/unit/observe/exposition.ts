// A strict reader of the Prometheus text format 0.0.4, written from its description and used only by tests:
// whatever is not a HELP, a TYPE or a well-formed sample of the family above it is an error.

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: ParsedSample[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;

export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('The text does not end with a line feed');
  const families = new Map<string, ParsedFamily>();
  const series = new Set<string>();
  let help: [name: string, text: string] | null = null;
  let family: ParsedFamily | null = null;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      help = [name, rest];
    } else if (keyword === 'TYPE') {
      if (help?.[0] !== name) throw new Error(`TYPE of ${name} without its HELP line before it`);
      if (families.has(name)) throw new Error(`A second TYPE of ${name}`);
      family = { name, type: rest, help: help[1], samples: [] };
      families.set(name, family);
    } else {
      const sample = parseSample(line);
      if (!family || !belongs(sample.name, family)) throw new Error(`Sample outside its family: ${line}`);
      const id =
        sample.name +
        JSON.stringify(
          Object.entries(sample.labels)
            .map(([label, value]) => `${label}=${value}`)
            .toSorted((a, b) => (a < b ? -1 : 1)),
        );
      if (series.has(id)) throw new Error(`The same series twice: ${line}`);
      series.add(id);
      family.samples.push(sample);
    }
  }
  return families;
}

function parseSample(line: string): ParsedSample {
  const [, name = '', labelText = '', value = ''] = SAMPLE.exec(line) ?? [];
  if (name === '') throw new Error(`Not a sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < labelText.length) {
    const [, label, quoted = ''] = LABEL.exec(labelText) ?? [];
    if (label === undefined) throw new Error(`Bad labels: ${line}`);
    if (label in labels) throw new Error(`The label ${label} twice: ${line}`);
    labels[label] = quoted.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }
  // Go's ParseFloat, which Prometheus reads values with, takes NaN in any case; prom-client writes "Nan"
  const number = /^nan$/i.test(value) ? NaN : Number(value.replace('Inf', 'Infinity'));
  if (Number.isNaN(number) && !/^nan$/i.test(value)) throw new Error(`Bad value: ${line}`);
  return { name, labels, value: number };
}

function belongs(name: string, family: ParsedFamily): boolean {
  const parts: Readonly<Record<string, readonly string[]>> = {
    histogram: ['_bucket', '_sum', '_count'],
    summary: ['', '_sum', '_count'],
  };
  return (parts[family.type] ?? ['']).some((part) => name === family.name + part);
}
