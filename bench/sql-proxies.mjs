/** The proxies that people put between their services and their database servers. */
import { ACCOUNT, freePort, startProgram } from './bench-servers.mjs';

/** MySQL Router with a port for writes and one for reads. */
export async function startRouter(primary, replicas, onProgress) {
  const [write, read] = [await freePort(), await freePort()];
  const routing = (name, port, role, to) => `[routing:${name}]
bind_address=127.0.0.1
bind_port=${port}
destinations=${to.map((one) => `127.0.0.1:${one}`).join(',')}
routing_strategy=${role}
protocol=classic
client_ssl_mode=PASSTHROUGH
max_connections=1000
`;
  const started = await startProgram(
    'mysqlrouter',
    ({ folder, programs }) => ({
      args: ['-c', `${folder}/router.conf`, ...(ACCOUNT === 'root' ? ['--user=root'] : [])],
      files: {
        'router.conf': `[DEFAULT]
logging_folder=${folder}
runtime_folder=${folder}
data_folder=${folder}
plugin_folder=${programs}/usr/lib/mysqlrouter/plugin
[logger]
level=ERROR
${routing('write', write, 'first-available', [primary])}${routing('read', read, 'round-robin', replicas)}`,
      },
      port: read,
    }),
    onProgress,
  );
  return { close: started.close, ports: { write, read } };
}

/** HAProxy with a port for writes and one for reads. */
export async function startHaproxy(primary, replicas, onProgress) {
  const [write, read] = [await freePort(), await freePort()];
  const listen = (name, port, to) => `listen ${name}
  bind 127.0.0.1:${port}
  balance leastconn
${to.map((one, index) => `  server n${index} 127.0.0.1:${one}`).join('\n')}
`;
  const started = await startProgram(
    'haproxy',
    ({ folder }) => ({
      args: ['-db', '-f', `${folder}/haproxy.cfg`],
      files: {
        'haproxy.cfg': `global
  nbthread 1
  maxconn 2000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${listen('write', write, [primary])}${listen('read', read, replicas)}`,
      },
      port: read,
    }),
    onProgress,
  );
  return { close: started.close, ports: { write, read } };
}
