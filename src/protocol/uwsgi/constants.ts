// Numbers of the uwsgi protocol (uwsgi-docs, Protocol.rst).

/** modifier1, modifier2 and the little-endian size of the vars block between them. */
export const HEADER_SIZE = 4;

export const Modifier = {
  WSGI: 0,
  /** Same vars layout as WSGI. */
  PSGI: 5,
  SPOOLER: 17,
  /** WSGI whose PATH_INFO still begins with SCRIPT_NAME. */
  WSGI_STRIP: 30,
  PING: 100,
} as const;

/** "Alive": modifier1 100, no data, modifier2 1 (uWSGI plugins/ping). */
export const PING_REPLY: Uint8Array = Uint8Array.of(100, 0, 0, 1);

/** "Job refused": modifier1 255, no data, modifier2 0 (uWSGI plugins/spooler). */
export const SPOOLER_REPLY: Uint8Array = Uint8Array.of(255, 0, 0, 0);
