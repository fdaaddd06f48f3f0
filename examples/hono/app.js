// A small Hono application: a page, a form, an upload, a stream and JSON. npm install hono
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Hono } from 'hono';
import { html } from 'hono/html';
import { stream } from 'hono/streaming';

const app = new Hono();

app.get('/', (c) => {
  const greeted = c.req.query('greeted') ?? '';
  return c.html(
    html`<!doctype html>
      <title>Hono under viaduct</title>
      <p>Hello, ${greeted || c.env.NOBODY}!</p>
      <form method="post" action="/greet"><input name="name" /><button>Greet</button></form>
      <form method="post" action="/upload" enctype="multipart/form-data">
        <input type="file" name="file" /><button>Upload</button>
      </form>`,
  );
});

// A form: answers with a redirect, so that a reload does not send it again.
app.post('/greet', async (c) => {
  const { name = '' } = await c.req.parseBody();
  // Goes on after the answer; a stop of viaduct waits for it.
  c.executionCtx.waitUntil(sleep(50).then(() => console.log(`Greeted ${JSON.stringify(name)}`)));
  return c.redirect(`/?${new URLSearchParams({ greeted: String(name) })}`, 303);
});

// formData() has the whole file in memory: limits.body_size in viaduct.yaml says how much that may be.
app.post('/upload', async (c) => {
  const file = (await c.req.formData()).get('file');
  if (!(file instanceof File)) return c.json({ error: 'the form has no file' }, 400);
  const digest = createHash('sha256').update(new Uint8Array(await file.arrayBuffer()));
  return c.json({ name: file.name, size: file.size, sha256: digest.digest('hex') });
});

// The same for a file of any size: it is hashed as it comes.
app.put('/upload', async (c) => {
  const digest = createHash('sha256');
  let size = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    size += chunk.length;
    digest.update(chunk);
  }
  return c.json({ size, sha256: digest.digest('hex') });
});

// A stream: each line leaves when it is made, and nothing is made for a client that has left.
app.get('/count', (c) => {
  const pause = Math.min(1000, Number(c.req.query('pause') ?? 500));
  c.header('Content-Type', 'text/plain');
  return stream(c, async (out) => {
    for (let number = 1; number <= 5 && !out.aborted; number += 1) {
      await out.write(`${number}\n`);
      await sleep(pause);
    }
  });
});

// c.env has the env of the mount, and the whole environ of the request.
app.get('/who', (c) => c.json({ you: c.env.environ.REMOTE_ADDR, url: c.req.url }));

export default app;
