// Reading a request's body, and answering a form.
//
//   open http://127.0.0.1:8080/echo in a browser, or
//   curl -d name=Zo%C3%AB -d dish=soup http://127.0.0.1:8080/echo
//   curl -T some-file http://127.0.0.1:8080/echo

// Without a limit of its own an app keeps as much in memory as anybody cares to send.
const MAX_BODY = 1024 * 1024;

/** @type {import('viaduct').Application} */
export const application = async (environ, startResponse) => {
  if (environ.REQUEST_METHOD === 'GET' || environ.REQUEST_METHOD === 'HEAD') {
    return respond(startResponse, '200 OK', 'text/html; charset=utf-8', page());
  }

  // wsgi.input is a file in Python's sense, only asynchronous: read(size) gives exactly that many bytes unless the body
  // ends before. The end of the body is the end of the file, whether or not the client told a length.
  // Read what you need before you answer: nginx stops sending the body once it has seen the response's first byte.
  const body = await environ['wsgi.input'].read(MAX_BODY + 1);
  if (body.length > MAX_BODY) {
    const message = `A body of more than ${MAX_BODY} bytes is too much for this example\n`;
    return respond(startResponse, '413 Content Too Large', 'text/plain; charset=utf-8', message);
  }

  const type = environ.CONTENT_TYPE ?? 'application/octet-stream';
  if (!type.startsWith('application/x-www-form-urlencoded')) {
    return respond(startResponse, '200 OK', type, body);
  }
  // A form's names and values are percent-encoded UTF-8, which is ASCII.
  const fields = new URLSearchParams(Buffer.from(body).toString('latin1'));
  return respond(startResponse, '200 OK', 'text/html; charset=utf-8', page(fields));
};

function respond(startResponse, status, type, content) {
  const body = typeof content === 'string' ? Buffer.from(content) : content;
  startResponse(status, [
    ['Content-Type', type],
    ['Content-Length', String(body.length)],
  ]);
  return [body];
}

function page(fields = new URLSearchParams()) {
  const rows = [...fields].map(
    ([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  return `<!doctype html>
<title>Echo</title>
<form method="post">
  <label>Name <input name="name"></label>
  <label>Dish <input name="dish"></label>
  <button>Send</button>
</form>
<table>${rows.join('')}</table>
`;
}

// What a client sent never goes into a page as it is.
function escapeHtml(text) {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
