// config/schema.json and docs/configuration.md say what the schema says.
import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { configJsonSchema, everyKey } from '../../../src/config/json-schema.ts';

interface SchemaNode {
  default?: unknown;
  description?: string;
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  required?: string[];
}

const ROOT = new URL('../../../../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, ROOT), 'utf8');

function nodeAt(key: string): SchemaNode | undefined {
  const parts = key.replaceAll('[]', '.[]').split('.');
  return parts.reduce<SchemaNode | undefined>((node, part) => {
    const all = node === undefined ? [] : [node, ...(node.anyOf ?? [])];
    return all
      .map((each) => (part === '[]' ? each.items : each.properties?.[part]))
      .find((next) => next !== undefined);
  }, configJsonSchema());
}

describe('config/schema.json', () => {
  it('is what `viaduct schema` prints', () => {
    expect(JSON.parse(read('config/schema.json'))).to.deep.equal(configJsonSchema());
  });
});

describe('the JSON Schema', () => {
  it('describes every key', () => {
    const silent = everyKey().filter((key) => nodeAt(key)?.description === undefined);
    expect(silent).to.deep.equal([]);
    expect(everyKey().length).to.be.greaterThan(55);
  });
});

describe('docs/configuration.md', () => {
  const rows = [...read('docs/configuration.md').matchAll(/^\| `([^`]+)` \| (.+?) \| (.+?) \| (.+) \|$/gm)];
  const documented = rows.map(([, key = '']) => key);

  it('has one row for every key, and none for others', () => {
    expect(documented).to.have.members(everyKey());
  });

  it('gives the defaults of the schema', () => {
    for (const [, key = '', , written = ''] of rows) {
      const value = nodeAt(key)?.default;
      if (value === undefined) expect(written, key).to.not.match(/^`(\d|null|true|false|\{|\[)/);
      else expect(written, key).to.equal(`\`${typeof value === 'string' ? value : JSON.stringify(value)}\``);
    }
  });
});
