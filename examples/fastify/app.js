// A Fastify app as it is: nothing in it knows viaduct. It exports a factory, which viaduct calls once a worker.
import Fastify from 'fastify';

export async function application() {
  const app = Fastify();
  app.get('/', () => ({ hello: 'from Fastify' }));
  app.post('/sum', {
    schema: { body: { type: 'array', items: { type: 'number' } } },
    handler: (request) => ({ sum: request.body.reduce((sum, number) => sum + number, 0) }),
  });
  return app;
}
