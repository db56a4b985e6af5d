// A memcached for PHP that keeps two copies: php-fpm's session.save_path names it. `stormlamp gateway` is the same as a program,
// and stormlamp-gateway.service its systemd unit.
import { createSessionStore } from 'stormlamp';
import { startSessionGateway } from 'stormlamp/gateway';

const store = await createSessionStore({ nodes: process.env.STORMLAMP_MEMCACHED.split(',') });
const gateway = await startSessionGateway(store, { port: Number(process.env.PORT ?? 11311) });
console.log(`session.save_path = "127.0.0.1:${gateway.port}"`);

process.once('SIGTERM', async () => {
  await gateway.close(); // answers what has arrived
  await store.close();
});
