// Types of fastcgi-stream 1.0.0, which ships none: only what the probe client uses, as the code has it (its README
// writes KEEP_CONN where the code has KEEPCONN).
declare module 'fastcgi-stream' {
  interface OutgoingRecord {
    readonly TYPE: number;
    getSize(): number;
  }
  interface DataRecord extends OutgoingRecord {
    data: Buffer | string;
  }
  interface EndRequestRecord extends OutgoingRecord {
    appStatus: number;
    protocolStatus: number;
  }
  interface DataRecordClass {
    new (data?: Buffer | string): DataRecord;
    readonly TYPE: number;
  }
  /** All it needs of a stream. */
  interface RecordPipe {
    on(event: 'data', listener: (chunk: Buffer) => void): unknown;
    write(bytes: Buffer, callback?: () => void): boolean;
  }
  interface FastCGIStreamInstance {
    on(event: 'record', listener: (requestId: number, record: OutgoingRecord) => void): this;
    /** Returns what the pipe's write() returned. */
    writeRecord(requestId: number, record: OutgoingRecord, callback?: () => void): boolean;
  }
  const fastcgi: {
    readonly FastCGIStream: new (pipe: RecordPipe) => FastCGIStreamInstance;
    readonly records: {
      readonly BeginRequest: {
        new (role: number, flags: number): OutgoingRecord;
        readonly roles: { readonly RESPONDER: number };
        readonly flags: { readonly KEEPCONN: number };
      };
      readonly EndRequest: { new (): EndRequestRecord; readonly TYPE: number };
      readonly Params: new (pairs?: (readonly [name: string, value: string])[]) => OutgoingRecord;
      readonly StdIn: DataRecordClass;
      readonly StdOut: DataRecordClass;
      readonly StdErr: DataRecordClass;
    };
  };
  export = fastcgi;
}
