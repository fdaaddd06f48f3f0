// The numbers of FastCGI 1.0 (section 8).

export const FCGI_VERSION = 1;
export const HEADER_LENGTH = 8;
export const MAX_CONTENT_LENGTH = 65_535;

export const RecordType = {
  BeginRequest: 1,
  AbortRequest: 2,
  EndRequest: 3,
  Params: 4,
  Stdin: 5,
  Stdout: 6,
  Stderr: 7,
  Data: 8,
  GetValues: 9,
  GetValuesResult: 10,
  UnknownType: 11,
} as const;

export const RESPONDER = 1;
export const KEEP_CONN = 1;

export const ProtocolStatus = {
  RequestComplete: 0,
  CantMultiplex: 1,
  Overloaded: 2,
  UnknownRole: 3,
} as const;
