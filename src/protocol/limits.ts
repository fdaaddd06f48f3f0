// How much a peer may send before it is refused. Every buffer of a decoder is bounded by one of these.

export interface ProtocolLimits {
  /** Bytes of one request's params block. nginx never sends more than 65,535 over FastCGI and uwsgi. */
  paramsSize: number;
  /** Name-value pairs of one request (gunicorn's MAX_UWSGI_VARS is 1,000 too). */
  paramsCount: number;
  /** FastCGI requests active at once on one connection; nginx opens one. */
  requestsPerConnection: number;
  /** Odd but harmless records skipped on one connection before it is closed. */
  notices: number;
}

export const DEFAULT_LIMITS: Readonly<ProtocolLimits> = {
  paramsSize: 64 * 1024,
  paramsCount: 1000,
  requestsPerConnection: 64,
  notices: 100,
};
