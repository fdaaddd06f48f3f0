// What becomes of an error on its way to the status page: its fields, its size, how many of them.
import { expect } from 'chai';
import { type ErrorReport, ErrorReporter, readReport, reportOf } from '../../../src/observe/error-report.ts';
import { createLogger } from '../../../src/observe/logger.ts';
import { RecentErrors } from '../../../src/observe/recent-errors.ts';

describe('observe/error-report', () => {
  it('has what the log line has, and the stack with its causes', () => {
    const error = new Error('no database', { cause: new TypeError('no route') });
    const line = { err: error, mount: 'api', request_id: 'r', method: 'GET', uri: '/x', worker: 3 };
    const report = reportOf(line, 'Request failed: no database', 5);
    expect(report).to.deep.include({
      time: 5,
      message: 'Request failed: no database',
      mount: 'api',
      requestId: 'r',
      method: 'GET',
      uri: '/x',
    });
    expect(report.traceback).to.match(/^Error: no database\n {4}at .*\nCaused by: TypeError: no route\n/s);
  });

  it('says in its first line what the error said', () => {
    expect(reportOf({ err: new Error('boom') }, 'A timer failed', 0).message).to.equal(
      'A timer failed: boom',
    );
    const boot = reportOf({ mount: '/' }, 'Mount / did not boot: boom\n  File "x.py"\nBoom', 0);
    expect([boot.message, boot.traceback]).to.deep.equal([
      'Mount / did not boot: boom',
      '  File "x.py"\nBoom',
    ]);
    expect(reportOf({}, 'plain', 0)).to.deep.include({ message: 'plain', traceback: null, mount: null });
  });

  it('reads what throws when it is read', () => {
    const hostile = new Error('x');
    for (const key of ['stack', 'message', 'cause'])
      Object.defineProperty(hostile, key, {
        get: () => {
          throw new Error('no');
        },
      });
    const odd = Object.assign(new Error('y'), { stack: 7, cause: hostile });
    const proxy = new Proxy(new Error('z'), {
      getPrototypeOf: () => {
        throw new Error('no');
      },
    });
    expect(reportOf({ err: hostile }, 'It failed', 0)).to.deep.include({
      message: 'It failed',
      traceback: null,
    });
    expect(reportOf({ err: odd }, 'It failed', 0)).to.deep.include({
      message: 'It failed: y',
      traceback: 'Error: y\nCaused by: it cannot be shown',
    });
    expect(reportOf({ err: proxy }, 'It failed', 0)).to.deep.include({
      message: 'It failed',
      traceback: null,
    });
  });

  it('has a limit for every part, and keeps both ends of a traceback', () => {
    const error = new Error('m');
    error.stack = `begin${'x'.repeat(100_000)}end`;
    const long = 'y'.repeat(100_000);
    const fields = { err: error, mount: long, request_id: long, method: long, uri: long };
    const report = reportOf(fields, long, 0);
    expect(JSON.stringify(report).length).to.be.below(10_500);
    expect(report.traceback).to.match(/^beginx+\n… 9\d{4} characters …\nx+end$/);
    expect(report.uri).to.match(/^y{500}…$/);
  });

  it('takes anything from another process, and no more than it would send itself', () => {
    for (const wrong of [null, 1, 'x', [], {}, { time: 'x', message: 'y' }, { time: 1 }])
      expect(readReport(wrong), JSON.stringify(wrong)).to.equal(null);
    const odd = readReport({ time: 1, message: 'm'.repeat(9999), traceback: 7, mount: {}, uri: null });
    expect(odd).to.deep.include({ traceback: null, mount: null, uri: null });
    expect(odd?.message).to.have.lengthOf(501);
  });

  it('lets ten a second through', () => {
    const sent: ErrorReport[] = [];
    const reporter = new ErrorReporter((report) => sent.push(report));
    for (let count = 0; count < 1000; count += 1) reporter.logged({}, 'again');
    expect(sent.length).to.be.within(10, 20);
  });
});

describe('observe/recent-errors', () => {
  const report = (message: string, more: Partial<ErrorReport> = {}): ErrorReport => ({
    ...reportOf({ mount: 'api' }, message, 1000),
    ...more,
  });

  it('keeps the last 50, the newest first', () => {
    const errors = new RecentErrors();
    for (let count = 0; count < 80; count += 1) errors.add(report(`e${count}`), 1);
    expect(errors.list()).to.have.lengthOf(50);
    expect([errors.list()[0]?.message, errors.list().at(-1)?.message]).to.deep.equal(['e79', 'e30']);
  });

  it('counts the same one, and shows its last request', () => {
    const errors = new RecentErrors();
    errors.add(report('same', { requestId: 'first' }), 1);
    errors.add(report('other'), null);
    errors.add(report('same', { requestId: 'second', time: 61_000 }), 2);
    errors.add(report('same', { mount: 'web' }), 2);
    expect(errors.list().map(({ message, mount, count }) => [message, mount, count])).to.deep.equal([
      ['same', 'web', 1],
      ['same', 'api', 2],
      ['other', 'api', 1],
    ]);
    expect(errors.list()[1]).to.deep.include({
      request_id: 'second',
      worker: 2,
      time: '1970-01-01T00:01:01.000Z',
      first_time: '1970-01-01T00:00:01.000Z',
    });
  });

  it('takes times that are none', () => {
    const errors = new RecentErrors();
    for (const time of [Infinity, -Infinity, Number.NaN, 1e300])
      errors.add(report(`at ${time}`, { time }), 0);
    for (const { time } of errors.list()) expect(Date.parse(time)).to.be.closeTo(Date.now(), 60_000);
  });
});

describe('createLogger() with onError', () => {
  it('tells errors and worse, and nothing else', async () => {
    const told: [object, string][] = [];
    const log = createLogger({
      level: 'info',
      file: '/dev/null',
      onError: (fields, message) => told.push([fields, message]),
    });
    const error = new Error('x');
    log.logger.info({ a: 1 }, 'info');
    log.logger.warn({ a: 1 }, 'warn');
    log.logger.error({ err: error }, 'error');
    log.logger.fatal('fatal');
    await log.close();
    expect(told).to.deep.equal([
      [{ err: error }, 'error'],
      [{}, 'fatal'],
    ]);
  });
});
