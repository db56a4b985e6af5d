/** Decoding and encoding session data: ours, JSON, and the other serializers of PHP's format. */
import { sessionOf } from '../session-data.mjs';

const SIZES = { '2 kB': 2000, '20 kB': 20_000 };
const works = Object.keys(SIZES).flatMap((size) => [`decode ${size}`, `encode ${size}`]);

export const suite = {
  name: 'codec',
  title: 'Codec',
  reference: 'JSON',
  works: ({ quick }) =>
    works.map((name) => ({
      name,
      calls: (quick ? 4000 : 20_000) / (name.includes('20 kB') ? 8 : 1),
      atOnce: [1],
    })),
  goals: [
    ['decode 2 kB', 'JSON', 'most', 2],
    ['decode 20 kB', 'JSON', 'most', 2],
    ['encode 2 kB', 'JSON', 'most', 2.5],
    ['encode 20 kB', 'JSON', 'most', 2.5],
    ['decode 2 kB', 'php-serialize', 'most', 0.2],
    ['encode 2 kB', 'php-serialize', 'most', 0.2],
  ].map(([work, reference, bound, value]) => ({
    text: `CPU to ${work}, over ${reference}`,
    work,
    atOnce: 1,
    reference,
    field: 'cpuUs',
    [bound]: value,
  })),
  setup: async () => ({ context: {}, close: async () => undefined }),
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
};
