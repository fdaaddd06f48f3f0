// What an application, a body or a client can do wrong at the gateway: one catalogue of codes, each with its HTTP answer.

export const GATEWAY_ERRORS = {
  // The request body; thrown by wsgi.input.
  ERR_BODY_TRUNCATED: { status: 400 },
  ERR_BODY_TIMEOUT: { status: 408 },
  ERR_BODY_TOO_LARGE: { status: 413 },
  ERR_BODY_AFTER_HEADERS: { status: 500 },
  ERR_BODY_CLIENT_GONE: { status: 400 },
  ERR_INPUT_BUSY: { status: 500 },
  // The request line and params.
  ERR_REQUEST_METHOD: { status: 400 },
  ERR_REQUEST_PATH: { status: 400 },
  // The application's side of PEP 3333.
  ERR_GATEWAY_ARGUMENTS: { status: 500 },
  ERR_GATEWAY_STATUS: { status: 500 },
  ERR_GATEWAY_HEADERS: { status: 500 },
  ERR_GATEWAY_HOP_BY_HOP: { status: 500 },
  ERR_GATEWAY_HEADERS_SIZE: { status: 500 },
  ERR_GATEWAY_STARTED_TWICE: { status: 500 },
  ERR_GATEWAY_NOT_STARTED: { status: 500 },
  ERR_GATEWAY_ENDED: { status: 500 },
  ERR_GATEWAY_RESULT: { status: 500 },
  ERR_GATEWAY_CHUNK: { status: 500 },
  ERR_GATEWAY_CONTENT_LENGTH: { status: 500 },
  ERR_GATEWAY_BODY_SHORT: { status: 500 },
  ERR_GATEWAY_UPGRADE: { status: 500 },
  ERR_GATEWAY_CLIENT_GONE: { status: 500 },
  ERR_GATEWAY_TIMEOUT: { status: 504 },
  ERR_GATEWAY_SHUTDOWN: { status: 503 },
  // An app of node:http.
  ERR_NODE_DESTROYED: { status: 500 },
  // Between a worker and a Python process.
  ERR_PYTHON_ENVIRON: { status: 400 },
  ERR_PYTHON_LOST: { status: 502 },
  ERR_PYTHON_BUSY: { status: 503 },
} as const satisfies Record<string, { status: number }>;

export type GatewayErrorCode = keyof typeof GATEWAY_ERRORS;

export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: GatewayErrorCode;

  constructor(code: GatewayErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  /** The status to answer with if nobody catches it before the headers went out. */
  get status(): number {
    return GATEWAY_ERRORS[this.code].status;
  }
}

/** A value as an error message shows it: its type, and its text where that is short. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return `string ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)}`;
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  if (typeof value === 'object') return Object.getPrototypeOf(value)?.constructor?.name ?? 'object';
  return typeof value;
}
