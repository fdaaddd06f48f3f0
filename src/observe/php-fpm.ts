// The status under the names of php-fpm's status page (php-src sapi/fpm/fpm/fpm_status.c), for tools that read those. A
// worker stands for what php-fpm calls a process, although it runs many requests at a time.
import type { RunningStatus, Status, WorkerStatus } from './status-data.ts';

/** @param full whether to have the list of processes too, as with php-fpm's `?full` */
export function phpFpmStatus(status: Status, full: boolean): object {
  const { totals } = status;
  const workers = status.workers.filter(({ pid }) => pid !== null);
  const active = workers.filter(({ in_flight: count }) => count > 0).length;
  return {
    pool: 'viaduct',
    'process manager': 'static',
    'start time': unixTime(status.started_at),
    'start since': Math.floor(status.uptime_seconds),
    // php-fpm counts requests under this name, also where a connection carries several.
    'accepted conn': totals.requests + status.requests_in_flight,
    'listen queue': totals.queue_depth,
    'max listen queue': totals.max_queue_depth,
    'listen queue len': totals.queue_limit,
    'idle processes': workers.length - active,
    'active processes': active,
    'total processes': workers.length,
    'max active processes': Math.max(active, totals.max_active_workers),
    // There: a request found no process free. Here: no place, and had to wait.
    'max children reached': totals.waited,
    'slow requests': totals.slow,
    ...(full ? { processes: workers.map((worker) => processOf(worker, status)) } : {}),
  };
}

function processOf(worker: WorkerStatus, { time, running, generation }: Status): object {
  const isHere = (each: RunningStatus): boolean =>
    worker.kind === 'node' && each.worker === worker.slot && worker.generation === generation;
  const request = running.find(isHere);
  return {
    pid: worker.pid,
    state: worker.in_flight > 0 ? 'Running' : 'Idle',
    'start time': Math.floor(Date.parse(time) / 1000 - worker.uptime_seconds),
    'start since': Math.floor(worker.uptime_seconds),
    requests: worker.requests,
    // Microseconds, of the oldest one.
    'request duration': Math.round((request?.age_seconds ?? 0) * 1e6),
    'request method': request?.method ?? '-',
    'request uri': request?.uri ?? '-',
    'content length': request?.bytes_in ?? 0,
    user: '-',
    script: request?.mount ?? worker.mount ?? '-',
    'last request cpu': Math.round((worker.cpu_share ?? 0) * 10_000) / 100,
    'last request memory': worker.rss_bytes,
  };
}

const unixTime = (iso: string): number => Math.floor(Date.parse(iso) / 1000);
