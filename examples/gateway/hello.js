// The smallest gateway app: PEP 3333's application(environ, start_response), in JavaScript.
//
//   curl http://127.0.0.1:8080/hello
//   curl http://127.0.0.1:8080/hello/there?name=you

// The strings of an environ have one character for each byte (PEP 3333); this is how those bytes read as UTF-8.
const text = (native) => Buffer.from(native, 'latin1').toString();

/** @type {import('viaduct').Application} */
export const application = (environ, startResponse) => {
  // `environ` is a fresh object for each request: the CGI variables, the request's headers as HTTP_*, and the keys
  // with a dot (wsgi.input and others). The mount's path is SCRIPT_NAME, what follows it PATH_INFO.
  const name = new URLSearchParams(environ.QUERY_STRING).get('name') ?? 'world';
  const body = Buffer.from(
    `Hello, ${name}! You asked for "${text(environ.PATH_INFO)}" below "${environ.SCRIPT_NAME}".\n`,
  );

  // Status and headers are stored here and leave with the first chunk of the body.
  startResponse('200 OK', [
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Length', String(body.length)],
  ]);

  // The body is an iterable of chunks. Chunks are bytes: a string has no encoding, so it is refused.
  return [body];
};
