// An Express app as it is: nothing in it knows viaduct. It exports the app and does not listen.
import express from 'express';

export const application = express();

application.use(express.urlencoded({ extended: true }));
application.get('/', (req, res) => {
  res.send(`<h1>Hello from Express</h1>
<form method="post" action="${req.baseUrl}/greet"><input name="name"><button>Greet</button></form>
`);
});
application.post('/greet', (req, res) => {
  res.type('text/plain').send(`Hello, ${req.body.name}!\n`);
});
application.get('/me', (req, res) => {
  res.json({ address: req.ip, protocol: req.protocol, url: req.originalUrl });
});
