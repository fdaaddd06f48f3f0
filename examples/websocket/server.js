// A chat: whatever one browser sends, all of them get. The page at / is static; /chat is the WebSocket.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

const page = await readFile(new URL('index.html', import.meta.url));

const server = createServer((req, res) => {
  if (req.url !== '/') {
    res.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not found\n');
    return;
  }
  res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page);
});

const chat = new WebSocketServer({ server, path: '/chat', maxPayload: 64 * 1024 });

chat.on('connection', (client, req) => {
  // Below nginx's uwsgi_read_timeout, so that a quiet chat stays open.
  const pings = setInterval(() => client.ping(), 30_000);
  client.on('close', () => clearInterval(pings));
  client.on('error', console.error);
  client.on('message', (text) => {
    for (const other of chat.clients) if (other.readyState === WebSocket.OPEN) other.send(String(text));
  });
  // This worker is being replaced: 1012 tells clients to come again.
  req.socket.once('shutdown', () => client.close(1012, 'restart'));
});

export default server;
