import { expect } from 'chai';
import { pino } from 'pino';
import type { RequestRecord } from '../../../src/gateway/events.ts';
import { MetricSlots } from '../../../src/observe/metric-slots.ts';
import { RequestLog } from '../../../src/runtime/request-log.ts';

/** Milliseconds. */
const SLOW = 2000;

function logWith(slow: number): { log: RequestLog; metrics: MetricSlots; lines: string[] } {
  const lines: string[] = [];
  const metrics = new MetricSlots();
  const access = {
    enabled: false,
    write: () => undefined,
    reopen: () => undefined,
    close: () => Promise.resolve(),
    dropped: () => 0,
  };
  const logger = pino({}, { write: (line: string) => void lines.push(line) });
  return { log: new RequestLog(logger, access, slow, metrics), metrics, lines };
}

const request = (duration: number, mountName = 'api'): RequestRecord => ({
  environ: {} as RequestRecord['environ'],
  mountName,
  protocol: 'fastcgi',
  status: 200,
  bytesIn: 0,
  bytesOut: 0,
  duration,
  queued: 0,
  aborted: null,
  abortReason: null,
  trace: null,
});

describe('runtime/request-log', () => {
  it('logs and counts what took longer than log.slow, by mount', () => {
    const { log, metrics, lines } = logWith(SLOW);
    for (const duration of [0, SLOW, SLOW + 1, SLOW * 2]) log.finished(request(duration));
    log.finished(request(SLOW + 1, ''));
    expect(lines.length).to.equal(3);
    expect(lines.every((line) => line.includes('Slow request'))).to.equal(true);
    expect(metrics.mount('api').slowRequests).to.equal(2);
    expect(metrics.mount('').slowRequests).to.equal(1);
  });

  it('calls nothing slow where log.slow is 0', () => {
    const { log, metrics, lines } = logWith(0);
    log.finished(request(1e9));
    expect([lines.length, metrics.mount('api').slowRequests]).to.deep.equal([0, 0]);
  });
});
