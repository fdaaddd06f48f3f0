import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../../src/observe/logger.ts';
import { prettyLine } from '../../../src/observe/pretty.ts';

describe('observe/logger', () => {
  let folder = '';
  let file = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'viaduct-log-'));
    file = join(folder, 'log');
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('writes a JSON object a line: level as a word, time as RFC 3339, the error with its stack', async () => {
    const log = createLogger({ level: 'info', file });
    log.logger.debug('not this');
    log.logger.child({ mount: 'api' }).warn({ err: new TypeError('no') }, 'App failed\nwith "quotes"');
    const text = readFileSync(file, 'utf8');
    expect(text.match(/\n/g)).to.have.length(1);
    const record: unknown = JSON.parse(text);
    expect(record).to.include({
      level: 'warn',
      mount: 'api',
      msg: 'App failed\nwith "quotes"',
      pid: process.pid,
    });
    expect(record)
      .to.have.property('time')
      .that.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(record).to.have.nested.property('err.stack').that.contains('logger.test');
    await log.close();
  });

  it('survives a full disk, fatal lines included, and counts', async () => {
    const log = createLogger({ level: 'info', file: '/dev/full' });
    for (let i = 0; i < 10; i++) log.logger.fatal('no room');
    await log.close();
    expect(log.dropped()).to.equal(10);
  });

  it('is readable when asked', async () => {
    const log = createLogger({ level: 'info', file, pretty: true });
    log.logger.info({ mount: 'api', text: 'two words' }, 'Serving');
    await log.close();
    // eslint-disable-next-line no-control-regex
    const plain = readFileSync(file, 'utf8').replace(/\u001b\[[\d;]*m/g, '');
    expect(plain).to.match(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}Serving mount=api text="two words"\n$/);
  });
});

describe('observe/pretty', () => {
  it('shows control characters instead of passing them on', () => {
    const evil = '\u001b]0;owned\u0007\r\nfake\u009b2J\u007f';
    const line = JSON.stringify({
      level: 'error',
      msg: evil,
      [evil]: evil,
      err: { stack: `Error: ${evil}\n  at x` },
    });
    // eslint-disable-next-line no-control-regex
    const plain = prettyLine(`${line}\n`).replace(/\u001b\[[\d;]*m/g, '');
    // eslint-disable-next-line no-control-regex
    expect(plain).not.to.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    expect(plain.split('\n')[0]).to.contain('\\x1b]0;owned\\x07\\x0d\\nfake\\x9b2J\\x7f');
    expect(plain.split('\n').slice(1)).to.deep.equal([
      '    Error: \\x1b]0;owned\\x07\\x0d',
      '    fake\\x9b2J\\x7f',
      '      at x',
      '',
    ]);
  });

  it('leaves what is no JSON object alone', () => {
    expect(prettyLine('hello\n')).to.equal('hello\n');
    expect(prettyLine('7\n')).to.equal('7\n');
  });
});
