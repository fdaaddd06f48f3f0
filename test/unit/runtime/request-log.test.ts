import { expect } from 'chai';
import { pino } from 'pino';
import { runningRequest, type RequestRecord } from '../../../src/gateway/events.ts';
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

  it('names the trace of what still runs, and of what is over', () => {
    const { log, lines } = logWith(SLOW);
    const traced = { ...request(SLOW + 1), trace: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) } };
    log.stillRuns(runningRequest(traced, 'running', SLOW + 1, 0), traced.trace);
    log.finished(traced);
    expect(lines.length).to.equal(2);
    for (const line of lines)
      expect(JSON.parse(line)).to.include({ trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) });
  });
});
