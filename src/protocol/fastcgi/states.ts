// The life of one request id, as a table. Everything that decides what a record means for an id stands here.
// An id that is not in the decoder's table is inactive; BEGIN_REQUEST makes it active, release() inactive again (section 3.3).
import { ByteCollector } from '../byte-collector.ts';
import { RecordType } from './constants.ts';

export const State = {
  /** BEGIN_REQUEST seen; its params are still coming. */
  Params: 0,
  /** Params complete; STDIN is coming. */
  Stdin: 1,
  /** The empty STDIN came: nothing more belongs to this request. */
  Ended: 2,
  /** Rejected or aborted, END_REQUEST not sent yet: whatever still comes for it is skipped. */
  Discard: 3,
} as const;
export type State = (typeof State)[keyof typeof State];

/** An active id. */
export class RequestState {
  state: State = State.Params;
  readonly params = new ByteCollector();
}

export const Action = {
  Skip: 0,
  Collect: 1,
  FinishParams: 2,
  Deliver: 3,
  FinishStdin: 4,
  Abort: 5,
  EarlyStdin: 6,
  LateParams: 7,
  LateStdin: 8,
  UnknownType: 9,
} as const;
export type Action = (typeof Action)[keyof typeof Action];

/** What a record of an active id means: [row by record kind][column by state Params, Stdin, Ended, Discard]. */
const TABLE = {
  params: [Action.Collect, Action.LateParams, Action.LateParams, Action.Skip],
  paramsEnd: [Action.FinishParams, Action.LateParams, Action.LateParams, Action.Skip],
  stdin: [Action.EarlyStdin, Action.Deliver, Action.LateStdin, Action.Skip],
  stdinEnd: [Action.EarlyStdin, Action.FinishStdin, Action.Skip, Action.Skip],
  abort: [Action.Abort, Action.Abort, Action.Abort, Action.Skip],
  // DATA belongs to the Filter role, which is refused at BEGIN_REQUEST.
  data: [Action.Skip, Action.Skip, Action.Skip, Action.Skip],
  unknown: [Action.UnknownType, Action.UnknownType, Action.UnknownType, Action.Skip],
} as const satisfies Record<string, readonly [Action, Action, Action, Action]>;

/** The action for a record of `type` with `length` bytes of content, for an active id in `state`. */
export function actionFor(type: number, length: number, state: State): Action {
  switch (type) {
    case RecordType.Params:
      return (length === 0 ? TABLE.paramsEnd : TABLE.params)[state];
    case RecordType.Stdin:
      return (length === 0 ? TABLE.stdinEnd : TABLE.stdin)[state];
    case RecordType.AbortRequest:
      return TABLE.abort[state];
    case RecordType.Data:
      return TABLE.data[state];
    default:
      return TABLE.unknown[state];
  }
}

/** END_REQUEST, STDOUT, STDERR, GET_VALUES_RESULT and UNKNOWN_TYPE only ever go to the web server. */
export const isFromApplication = (type: number): boolean =>
  type === RecordType.EndRequest ||
  type === RecordType.Stdout ||
  type === RecordType.Stderr ||
  type === RecordType.GetValuesResult ||
  type === RecordType.UnknownType;
