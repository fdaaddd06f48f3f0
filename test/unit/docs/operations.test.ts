// docs/operations.md is true: its access log fields are those of a line.
import { expect } from 'chai';
import { putJson } from '../../../src/observe/access-log.ts';
import { lineOf } from '../../helpers/log-line.ts';
import { readPage, tableRowsOf } from '../../helpers/markdown.ts';
import { sampleStatus } from '../../helpers/status.ts';

const page = readPage('docs/operations.md');
const unquoted = (cell = ''): string => cell.replaceAll('`', '');

describe('docs/operations.md', () => {
  const rows = tableRowsOf(page);

  it('has one row for every field of the access log, in their order', () => {
    const line = lineOf(putJson, {
      time: 0,
      requestId: 'r',
      mount: '/',
      remoteAddr: '127.0.0.1',
      remoteUser: 'u',
      method: 'GET',
      uri: '/',
      scheme: 'http',
      host: 'h',
      protocol: 'HTTP/1.1',
      upstream: 'fastcgi',
      status: 200,
      bytesIn: 0,
      bytesOut: 0,
      duration: 0,
      queue: 0,
      aborted: 'sending',
      userAgent: 'a',
      referer: 'r',
      traceId: 't',
      spanId: 's',
    });
    const fields = Object.keys(JSON.parse(line) as object);
    const start = rows.findIndex(([name]) => name === '`time`');
    expect(rows.slice(start, start + fields.length).map(([name]) => unquoted(name))).to.deep.equal(fields);
  });
});

describe('docs/operations.md on /status.json', () => {
  /** `a.b` of objects, `a[].b` of their lists; names of plots only once. */
  const namesOf = (value: unknown, path: string): string[] => {
    if (Array.isArray(value)) return value.flatMap((each) => namesOf(each, `${path}[]`));
    if (typeof value !== 'object' || value === null) return [path];
    return Object.entries(value).flatMap(([key, each]) =>
      namesOf(each, path === '' ? key : `${path}.${key}`),
    );
  };

  it('names every field', () => {
    const words = new Set(
      tableRowsOf(page)
        .filter((row) => row.length === 2)
        .flatMap((row) => [...row.join(' ').matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)),
    );
    const names = namesOf(sampleStatus(), '').filter((name) => !name.endsWith('[]'));
    const missing = names.filter((name) => {
      const parts = name.split('.');
      const last = parts.at(-1) ?? '';
      return !words.has(name) && !words.has(last) && !words.has(parts.slice(-2).join('.'));
    });
    expect([...new Set(missing)]).to.deep.equal([]);
    expect(names.length).to.be.greaterThan(80);
  });
});
