// POST, redirect, GET: the next request sees the write, whichever replica answers, in Node and in PHP (read-your-writes.php).
import express from 'express';
import { createCluster } from 'stormlamp';
import { phpSession, scope } from 'stormlamp/express';

const cluster = await createCluster();
const app = express();
app.use(phpSession(cluster));
app.use(scope(cluster, { secret: process.env.SCOPE_SECRET, session: 'stormlamp_token' }));

app.post('/cart/:item', async (req, res) => {
  req.session.user ??= 'ada';
  await cluster.mysql.execute('INSERT INTO cart (owner, item) VALUES (?, ?)', ['ada', req.params.item]);
  res.redirect(303, '/cart');
});
app.get('/cart', async (_req, res) => {
  const [rows] = await cluster.mysql.query('SELECT item FROM cart WHERE owner = ?', ['ada']);
  res.json(rows.map(({ item }) => item));
});

const server = app.listen(process.env.PORT ?? 3000, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${server.address().port}`),
);
