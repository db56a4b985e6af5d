/** Decoding and encoding session data: ours, JSON, and the other serializers of PHP's format. */
import { spawn } from 'node:child_process';
import { resolveServers } from '../../dist/testing/servers/resolve-servers.js';
import { sessionOf } from '../session-data.mjs';

const SIZES = { '2 kB': 2000, '20 kB': 20_000, '200 kB': 200_000 };
const works = Object.keys(SIZES).flatMap((size) => [`decode ${size}`, `encode ${size}`]);

export const suite = {
  title: 'Codec',
  works: ({ quick }) => works.map((name) => ({ name, ms: quick ? 150 : 250, warmMs: 800, atOnce: [1] })),
  goals: [
    ...works.map((work) => [work, 'JSON', 'most', work.startsWith('decode') ? 2 : 2.5]),
    ...works.map((work) => [work, 'php-serialize', 'most', 0.2]),
  ].map(([work, reference, bound, value]) => ({
    text: `CPU to ${work}, over ${reference}`,
    work,
    atOnce: 1,
    reference,
    field: 'cpuUs',
    [bound]: value,
  })),
  setup: async () => {
    const { php } = await resolveServers(['php']);
    return {
      context: { php: [php.cli.command, ...php.cli.prefixArgs, ...php.extensionArgs] },
      close: async () => undefined,
    };
  },
};

/** Keeps what is computed from being optimized away. */
let kept;
function keep(value) {
  kept = value;
}

function worksOf(serialize, unserialize) {
  return Object.fromEntries(
    Object.entries(SIZES).flatMap(([size, bytes]) => {
      const data = sessionOf(bytes);
      const stored = serialize(data);
      return [
        [`decode ${size}`, () => keep(unserialize(stored))],
        [`encode ${size}`, () => keep(serialize(data))],
      ];
    }),
  );
}

export const peers = {
  // A store reads and writes bytes, so the text's conversion belongs to it.
  JSON: () => ({
    works: worksOf(
      (data) => Buffer.from(JSON.stringify(data)),
      (bytes) => JSON.parse(bytes.toString()),
    ),
    kept,
  }),
  'php-serialize': async () => {
    const { serialize, unserialize } = await import('php-serialize');
    return {
      works: worksOf(
        (data) => Buffer.from(serialize(data)),
        (bytes) => unserialize(bytes.toString()),
      ),
    };
  },
  locutus: async () => {
    const { default: serialize } = await import('locutus/php/var/serialize.js');
    const { default: unserialize } = await import('locutus/php/var/unserialize.js');
    return {
      works: worksOf(
        (data) => Buffer.from(serialize(data)),
        (bytes) => unserialize(bytes.toString()),
      ),
    };
  },
  stormlamp: async () => {
    const { serialize, unserialize } = await import('../../dist/php/index.js');
    return { works: worksOf(serialize, unserialize) };
  },

  // Measured by PHP itself, without its start.
  PHP({ php }) {
    const [command, ...args] = php;
    const run = (size, expression, ms) =>
      new Promise((done, fail) => {
        const child = spawn(command, [...args, '-r', phpScript(expression, ms)], {
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        let text = '';
        child.stdout.on('data', (chunk) => {
          text += chunk;
        });
        child.once('error', fail);
        child.once('close', () => {
          try {
            done(JSON.parse(text));
          } catch {
            fail(new Error(`PHP printed ${text.slice(0, 200)}`));
          }
        });
        child.stdin.end(JSON.stringify(sessionOf(SIZES[size])));
      });
    return {
      works: Object.fromEntries(
        Object.keys(SIZES).flatMap((size) => [
          [`decode ${size}`, { run: ({ ms }) => run(size, 'unserialize($text)', ms) }],
          [`encode ${size}`, { run: ({ ms }) => run(size, 'serialize($data)', ms) }],
        ]),
      ),
    };
  },
};

function phpScript(expression, ms) {
  return `$data = json_decode(stream_get_contents(STDIN), true); $text = serialize($data);
    $cpu = fn () => array_sum(array_map(fn ($one) => getrusage()["ru_$one.tv_sec"] * 1e6 + getrusage()["ru_$one.tv_usec"], ['utime', 'stime']));
    $before = $cpu(); $start = hrtime(true); $times = []; $from = $start;
    while ($from - $start < ${ms}e6) { ${expression}; $now = hrtime(true); $times[] = ($now - $from) / 1000; $from = $now; }
    $calls = count($times); $used = $cpu() - $before; $seconds = (hrtime(true) - $start) / 1e9; sort($times);
    echo json_encode(['calls' => $calls, 'cpuUs' => $used / $calls, 'perSecond' => $calls / $seconds,
      'p50Us' => $times[intdiv($calls, 2)], 'p99Us' => $times[intdiv($calls * 99, 100)]]);`;
}
