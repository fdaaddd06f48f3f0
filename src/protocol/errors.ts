// Every way a peer can be wrong, in one catalogue: code, metric reason, how much it costs, and the HTTP answer, if any.

/** connection: framing is lost, close. request: this request is refused. notice: counted and skipped, nothing is lost. */
export type ErrorScope = 'connection' | 'request' | 'notice';

interface ErrorKind {
  /** The `reason` label of viaduct_protocol_errors_total. */
  readonly reason: string;
  readonly scope: ErrorScope;
  /** HTTP status to answer with; 0 where the protocol has no answer. */
  readonly status: number;
}

const kind = (reason: string, scope: ErrorScope, status = 0): ErrorKind => ({ reason, scope, status });

export const PROTOCOL_ERRORS = {
  // FastCGI 1.0; the rows of facts on bad input, in their order
  ERR_FCGI_VERSION: kind('bad_version', 'connection'),
  ERR_FCGI_UNKNOWN_TYPE: kind('unknown_type', 'notice'),
  ERR_FCGI_WRONG_DIRECTION: kind('wrong_direction', 'notice'),
  ERR_FCGI_TOO_MUCH_NOISE: kind('too_much_noise', 'connection'),
  ERR_FCGI_INACTIVE_ID: kind('inactive_id', 'notice'),
  ERR_FCGI_BEGIN: kind('bad_begin', 'connection'),
  ERR_FCGI_UNKNOWN_ROLE: kind('unknown_role', 'notice'),
  ERR_FCGI_OVERLOADED: kind('too_many_ids', 'notice'),
  ERR_FCGI_ID_REUSE: kind('id_reuse', 'connection'),
  ERR_FCGI_PARAMS_TRUNCATED: kind('truncated_params', 'request', 400),
  ERR_FCGI_EARLY_STDIN: kind('early_stdin', 'connection'),
  ERR_FCGI_LATE_PARAMS: kind('late_params', 'notice'),
  ERR_FCGI_LATE_STDIN: kind('late_stdin', 'notice'),
  ERR_FCGI_GET_VALUES: kind('bad_get_values', 'connection'),
  ERR_FCGI_TRUNCATED: kind('truncated', 'connection'),
  // uwsgi
  ERR_UWSGI_MODIFIER: kind('unknown_modifier', 'connection'),
  ERR_UWSGI_HTTP: kind('http_on_uwsgi', 'connection'),
  ERR_UWSGI_EMPTY_BLOCK: kind('empty_block', 'request', 400),
  ERR_UWSGI_BLOCK: kind('bad_block', 'request', 400),
  ERR_UWSGI_TRUNCATED: kind('truncated', 'connection'),
  // SCGI
  ERR_SCGI_NETSTRING: kind('bad_netstring', 'connection', 400),
  ERR_SCGI_HEADERS: kind('bad_headers', 'request', 400),
  ERR_SCGI_TRUNCATED: kind('truncated', 'connection'),
  // HTTP, as node:http reads it
  ERR_HTTP_REQUEST: kind('bad_request', 'connection', 400),
  // all of them
  ERR_PARAMS_SIZE: kind('params_size', 'request', 431),
  ERR_PARAMS_COUNT: kind('params_count', 'request', 431),
  ERR_PARAM_NAME: kind('bad_param_name', 'notice'),
  ERR_PARAMS_TIMEOUT: kind('params_timeout', 'connection'),
  ERR_CONTENT_LENGTH: kind('bad_content_length', 'request', 400),
  ERR_EXCESS_BODY: kind('excess_body', 'notice'),
  ERR_UNKNOWN_PROTOCOL: kind('unknown_protocol', 'connection'),
  ERR_TLS: kind('tls', 'connection'),
  ERR_PROXY_PROTOCOL: kind('proxy_protocol', 'connection'),
  ERR_HTTP2: kind('http2', 'connection'),
} as const satisfies Record<string, ErrorKind>;

export type ProtocolErrorCode = keyof typeof PROTOCOL_ERRORS;

/** The peer broke the rules of its protocol. `message` says what was found and what was wanted. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  get reason(): string {
    return PROTOCOL_ERRORS[this.code].reason;
  }

  get scope(): ErrorScope {
    return PROTOCOL_ERRORS[this.code].scope;
  }

  /** The HTTP status to answer with; 0 where the protocol has none. */
  get status(): number {
    return PROTOCOL_ERRORS[this.code].status;
  }
}
