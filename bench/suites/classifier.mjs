/** The statement classifier: cached and not, short and long texts. The same text in a new string is what a query builder gives. */

const SHORT = 'SELECT name FROM item WHERE id = ?';
const MIDDLE =
  "SELECT o.id, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.state = 'open' AND o.created > ? AND c.country IN (?, ?, ?) ORDER BY o.created DESC LIMIT 20 /* dashboard list */";
const COPIES = 4096;
const BATCH = 100;

export const suite = {
  name: 'classifier',
  title: 'Classifier (one call is 100 statements)',
  reference: 'stormlamp',
  works: ({ quick }) =>
    [
      'cached, same string',
      'cached, new strings',
      'uncached, 35 bytes',
      'uncached, 200 bytes',
      'uncached, 20 kB',
    ].map((name) => ({ name, calls: (quick ? 300 : 2000) / (name.endsWith('kB') ? 20 : 1), atOnce: [1] })),
  goals: [],
  setup: async () => ({
    context: {},
    notes: [
      'Goals: at least 2 000 000 cached and 200 000 uncached statements of 200 bytes a second: 20 000 and 2 000 calls.',
    ],
    close: async () => undefined,
  }),
};

export const peers = {
  async stormlamp() {
    const { ClassificationCache } = await import('../../dist/mysql/classifier/classification-cache.js');
    const { classify } = await import('../../dist/index.js');
    const cache = new ClassificationCache({ flavor: 'mysql' });
    // Different comments at the end keep a text's shape and make it another text.
    const variants = (text) => Array.from({ length: COPIES }, (_, index) => `${text} -- ${index}`);
    const pools = { short: variants(SHORT), middle: variants(MIDDLE) };
    const long = variants(
      `SELECT ${Array.from({ length: 900 }, (_, i) => `column_${i} AS c${i}`).join(', ')} FROM t`,
    );
    const times = (work) => (number) => {
      for (let index = 0; index < BATCH; index += 1) work(number * BATCH + index);
    };
    // A string made anew has no hash yet, as when a query builder put it together.
    const bytes = Buffer.from(MIDDLE);
    const lookUp = (sql) => cache.classify(sql);
    return {
      works: {
        'cached, same string': times(() => lookUp(MIDDLE)),
        'cached, new strings': times(() => lookUp(bytes.latin1Slice())),
        'uncached, 35 bytes': times((number) => classify(pools.short[number % COPIES])),
        'uncached, 200 bytes': times((number) => classify(pools.middle[number % COPIES])),
        'uncached, 20 kB': times((number) => classify(long[number % COPIES])),
      },
    };
  },
};
