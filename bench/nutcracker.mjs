/** nutcracker (twemproxy) in front of memcached nodes, one copy of each key. */
import { freePort, startProgram } from './bench-servers.mjs';

/** @param {readonly number[]} ports @param {(text: string) => void} onProgress */
export async function startNutcracker(ports, onProgress) {
  const [port, statsPort] = [await freePort(), await freePort()];
  const servers = ports.map((one) => `   - 127.0.0.1:${one}:1`).join('\n');
  return startProgram(
    'nutcracker',
    ({ folder }) => ({
      args: [
        '-c',
        `${folder}/nutcracker.yml`,
        '-o',
        `${folder}/log`,
        '-p',
        `${folder}/pid`,
        '-s',
        String(statsPort),
      ],
      files: {
        'nutcracker.yml': `pool:\n  listen: 127.0.0.1:${port}\n  hash: fnv1a_64\n  distribution: ketama\n  servers:\n${servers}\n`,
      },
      port,
    }),
    onProgress,
  );
}
