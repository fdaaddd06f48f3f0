// The trace a request belongs to, as its traceparent header says (W3C Trace Context). Knows no tracing library.

export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Of the caller; 16 hexadecimal digits. */
  readonly spanId: string;
}

// Version 00 has exactly this form; a later one may go on after a further "-" (section 4.3 of the specification).
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/** null: there is none, or it is not one. */
export function traceContext(traceparent: unknown): TraceContext | null {
  if (typeof traceparent !== 'string') return null;
  const [, version, traceId, spanId, more] = TRACEPARENT.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined) return null;
  return version === '00' && more !== undefined ? null : { traceId, spanId };
}
