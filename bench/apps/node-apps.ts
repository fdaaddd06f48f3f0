// The small page in the frameworks Node teams use, the same objects for viaduct and for node:http.
import type { IncomingMessage, ServerResponse } from 'node:http';
import express from 'express';
import Fastify, { type FastifyInstance } from 'fastify';

const BODY = 'Hello, World!\n';

export function plain(_req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': BODY.length });
  res.end(BODY);
}

const expressApp = express();
expressApp.get('/hello/world', (_req, res) => void res.type('text/plain').send(BODY));
export { expressApp as express };

export function fastify(): FastifyInstance {
  const app = Fastify();
  app.get('/hello/world', (_request, reply) => reply.type('text/plain').send(BODY));
  return app;
}
