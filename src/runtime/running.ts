// The requests in flight as a worker tells them to the master: the oldest ones, cut to size, read with care. Knows the
// gateway's description of a request, and no process.
import type { RequestPhase, RunningRequest } from '../gateway/events.ts';

/** Of one worker, at a time: what is interesting has run for long. */
const MOST = 50;
const WORD_LIMIT = 200;
const URI_LIMIT = 500;

const PHASES: ReadonlySet<unknown> = new Set<RequestPhase>([
  'queued',
  'running',
  'reading',
  'sending',
  'closing',
]);

/** The oldest first. */
export function oldestOf(requests: readonly RunningRequest[]): RunningRequest[] {
  return requests
    .toSorted((a, b) => b.age - a.age)
    .slice(0, MOST)
    .map((request) => ({
      ...request,
      mount: cut(request.mount, WORD_LIMIT),
      requestId: cut(request.requestId, WORD_LIMIT),
      method: cut(request.method, WORD_LIMIT),
      uri: cut(request.uri, URI_LIMIT),
    }));
}

/** What a worker has sent, which may be anything: it runs other people's code. */
export function readRunning(found: unknown): RunningRequest[] {
  if (!Array.isArray(found)) return [];
  return oldestOf(found.slice(0, MOST).flatMap(readOne));
}

function readOne(found: unknown): RunningRequest[] {
  if (typeof found !== 'object' || found === null) return [];
  const parts = found as Partial<Record<keyof RunningRequest, unknown>>;
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const amount = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0);
  if (!PHASES.has(parts.phase)) return [];
  return [
    {
      requestId: text(parts.requestId),
      mount: text(parts.mount),
      method: text(parts.method),
      uri: text(parts.uri),
      phase: parts.phase as RequestPhase,
      age: amount(parts.age),
      queued: amount(parts.queued),
      bytesIn: amount(parts.bytesIn),
      bytesOut: amount(parts.bytesOut),
    },
  ];
}

const cut = (text: string, limit: number): string =>
  text.length > limit ? `${text.slice(0, limit)}…` : text;
