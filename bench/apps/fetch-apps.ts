// The small page from apps of Request and Response: a bare function, Hono, and Hono with what most apps have around a page.
import { Hono } from 'hono';

const PAGE = 'Hello, World!\n';

export const plain = (): Response => new Response(PAGE);

export const hono: Hono = new Hono();
hono.get('/hello/:name', (context) => context.text(PAGE));

export const dressed: Hono = new Hono();
dressed.use(async (context, next) => {
  const agent = context.req.header('user-agent') ?? '';
  await next();
  context.header('X-Agent-Length', String(agent.length));
});
dressed.get('/hello/:name', (context) => {
  context.header('Cache-Control', 'no-store');
  return context.text(`Hello, ${context.req.param('name') === 'world' ? 'World' : ''}!\n`);
});
