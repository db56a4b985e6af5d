// Express knows who logged in on the PHP site (php-login.php): same cookie, same session.
import express from 'express';
import { createCluster } from 'stormlamp';
import { phpSession } from 'stormlamp/express';

const cluster = await createCluster();
const app = express();
app.use(phpSession(cluster));

app.get('/me', (req, res) => res.json({ user: req.session.user ?? null }));
app.post('/cart/:item', (req, res) => {
  req.session.cart = [...(req.session.cart ?? []), req.params.item]; // PHP sees it, too
  res.json({ cart: req.session.cart });
});
app.post('/logout', async (req, res) => {
  await req.session.destroy();
  res.json({ user: null });
});

const server = app.listen(process.env.PORT ?? 3000, '127.0.0.1', () =>
  console.log(`listening on http://127.0.0.1:${server.address().port}`),
);
