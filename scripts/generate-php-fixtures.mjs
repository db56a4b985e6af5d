/**
 * `node scripts/generate-php-fixtures.mjs`: asks the PHP of the local servers what it makes of many inputs, and writes
 * the answers to `test/spec/php-*.fixture.json`. Everything is derived from fixed seeds, so a run on another version of
 * PHP shows in the difference what changed. With `--check` nothing is written, and a difference is an error.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { settleFixture } from './fixtures.mjs';
import { ensureBuild, ensureDependencies, ROOT } from './workspace.mjs';

const HANDLERS = ['php', 'php_serialize', 'php_binary', 'igbinary'];

/** A pseudo-random sequence that is the same everywhere. */
function sequence(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function bits(value) {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(value);
  return buffer.toString('hex');
}

/** Doubles around every place where the two languages write them differently, and random ones of all sizes. */
function floats() {
  const values = [
    0,
    -0,
    1,
    -1,
    100,
    0.1,
    0.2,
    0.3,
    1 / 3,
    2 / 3,
    1.5,
    Math.PI,
    Infinity,
    -Infinity,
    NaN,
    5e-324,
    1.7976931348623157e308,
    2.2250738585072014e-308,
  ];
  for (let power = -330; power <= 308; power += power > -32 && power < 32 ? 1 : 17) {
    const value = Number(`1e${power}`);
    values.push(value, -value, value * 1.5, value * 0.123456789012345, value * 9.9999999);
  }
  for (let power = -64; power <= 80; power += 1) values.push(2 ** power, 2 ** power + 1, 2 ** power - 1);
  for (let cents = 1; cents < 120; cents += 7) values.push(cents / 100, cents + 0.95);
  const next = sequence(20);
  const hex = values.map(bits);
  while (hex.length < 1600) {
    const high = next(2 ** 32)
      .toString(16)
      .padStart(8, '0');
    const low = next(2 ** 32)
      .toString(16)
      .padStart(8, '0');
    // Half of them of everyday size, where the exponent does not vary so wildly.
    hex.push(
      hex.length % 2 === 0 ? `${high}${low}` : `4${'0123456789abcdef'[next(8)]}${high.slice(2)}${low}`,
    );
  }
  return [...new Set(hex)];
}

const SEEDS = [
  'N;',
  'b:0;',
  'b:1;',
  'i:0;',
  'i:-7;',
  'i:+7;',
  'i:007;',
  'i:9223372036854775807;',
  'i:-9223372036854775808;',
  'i:9223372036854775808;',
  'i:-9223372036854775809;',
  'i:99999999999999999999999;',
  'i:9007199254740993;',
  'd:0;',
  'd:-0;',
  'd:1;',
  'd:0.5;',
  'd:.5;',
  'd:5.;',
  'd:+1.5;',
  'd:1e3;',
  'd:1E+25;',
  'd:-1.5e-7;',
  'd:1e999;',
  'd:INF;',
  'd:-INF;',
  'd:NAN;',
  'd:+INF;',
  'd:-NAN;',
  'd:inf;',
  'd:nan;',
  'd:;',
  'd:.;',
  'd:1e;',
  'd:0x10;',
  's:0:"";',
  's:3:"abc";',
  's:03:"abc";',
  's:+3:"abc";',
  's:-1:"";',
  's:2:"é";',
  's:1:"é";',
  's:4:"a";b";',
  's:2:"abc";',
  's:4:"abc";',
  's:3:"abc"',
  "s:3:'abc';",
  's:3:"\u0000\u00ff|";',
  'S:3:"a\\62c";',
  'S:3:"a\\6";',
  'S:3:"a\\zzc";',
  'S:1:"\\ff";',
  'S:2:"a";',
  'a:0:{}',
  'a:0:{};',
  'a:1:{i:0;N;}',
  'a:1:{N;i:0;}',
  'a:1:{d:1.5;i:0;}',
  'a:1:{b:1;i:0;}',
  'a:2:{i:0;i:1;}',
  'a:1:{i:0;i:1;i:1;i:2;}',
  'a:-1:{}',
  'a:+1:{i:0;N;}',
  'a:1:{i:0;i:1;',
  'a:3:{i:0;i:1;i:1;i:2;i:2;i:3;}',
  'a:2:{i:1;i:1;i:0;i:2;}',
  'a:2:{s:1:"0";i:1;s:1:"1";i:2;}',
  'a:2:{s:1:"5";i:1;i:5;i:2;}',
  'a:5:{s:2:"05";i:1;s:2:"-5";i:2;s:2:"-0";i:3;s:2:"+5";i:4;s:3:"1.5";i:5;}',
  'a:2:{s:19:"9223372036854775807";i:1;s:19:"9223372036854775808";i:2;}',
  'a:2:{s:20:"-9223372036854775808";i:1;s:20:"-9223372036854775809";i:2;}',
  'a:2:{s:1:"a";i:1;s:1:"a";i:2;}',
  'a:3:{s:1:"a";i:1;s:1:"b";i:3;s:1:"a";i:2;}',
  'a:1:{s:9:"__proto__";a:1:{s:8:"polluted";b:1;}}',
  'a:2:{s:11:"constructor";i:1;s:8:"toString";i:2;}',
  'a:2:{i:3;i:1;i:-1;i:2;}',
  'a:3:{s:1:"x";i:1;i:7;i:2;i:3;i:3;}',
  'a:2:{s:2:"\u00ff\u00fe";i:1;s:1:"b";i:2;}',
  'a:2:{i:4294967294;i:1;i:4294967295;i:2;}',
  'a:1:{i:9007199254740993;i:1;}',
  'a:99999999:{}',
  'a:1073741824:{}',
  'O:8:"stdClass":0:{}',
  'O:8:"stdClass"::{}',
  'O:8:"stdClass":+1:{s:1:"a";i:1;}',
  'O:8:"stdClass":-1:{}',
  'O:8:"stdClass":1:{s:1:"a";i:1;}',
  'O:8:"stdClass":1:{i:5;i:1;}',
  'O:0:"":0:{}',
  'O:9:"\\stdClass":0:{}',
  'O:3:"a b":0:{}',
  'O:3:"\u0000ab":0:{}',
  'O:7:"Missing":1:{s:1:"a";i:1;}',
  'O:7:"Missing":1:{s:4:"\u0000*\u0000a";i:1;}',
  'O:3:"Ns\\":0:{}',
  'O:5:"Point":3:{s:1:"x";i:1;s:4:"\u0000*\u0000y";d:2;s:8:"\u0000Point\u0000z";N;}',
  'O:6:"Modern":2:{s:1:"k";i:1;i:5;i:2;}',
  'O:8:"stdClass":5:{}',
  'O:8:"stdClass":0:{',
  'C:6:"Opaque":3:{raw}',
  'C:6:"Opaque":4:{raw}',
  'C:6:"Opaque":2:{raw}',
  'C:6:"Opaque":0:{}',
  'C:6:"Opaque":-1:{}',
  'C:6:"Opaque":3:{raw',
  'E:11:"Suit:Hearts";',
  'E:10:"SuitHearts";',
  'E:0:"";',
  'a:3:{i:0;E:11:"Suit:Hearts";i:1;E:11:"Suit:Spades";i:2;r:2;}',
  'a:2:{i:0;i:1;i:1;R:2;}',
  'a:2:{i:0;i:1;i:1;R:3;}',
  'a:2:{i:0;i:1;i:1;R:0;}',
  'a:2:{i:0;i:1;i:1;R:9;}',
  'R:1;',
  'r:1;',
  'a:2:{i:0;i:1;i:1;r:2;}',
  'a:2:{i:0;O:8:"stdClass":0:{}i:1;r:2;}',
  'a:2:{i:0;O:8:"stdClass":0:{}i:1;R:2;}',
  'a:3:{i:0;O:8:"stdClass":0:{}i:1;r:2;i:2;r:3;}',
  'a:3:{i:0;O:8:"stdClass":0:{}i:1;r:2;i:2;R:3;}',
  'a:4:{i:0;i:1;i:1;R:2;i:2;O:8:"stdClass":0:{}i:3;r:3;}',
  'a:3:{i:0;a:1:{i:0;i:1;}i:1;R:3;i:2;R:2;}',
  'O:8:"stdClass":1:{s:4:"self";r:1;}',
  'O:8:"stdClass":1:{s:4:"self";R:1;}',
  'a:2:{i:0;a:1:{i:0;O:8:"stdClass":0:{}}i:1;r:3;}',
  'a:2:{i:0;C:6:"Opaque":3:{raw}i:1;r:2;}',
  'a:3:{i:0;C:6:"Nested":22:{a:2:{i:0;i:1;i:1;i:2;}}i:1;O:8:"stdClass":0:{}i:2;r:6;}',
  'a:2:{i:0;i:1;i:0;R:2;}',
  'a:2:{i:0;i:1;i:0;i:2;}',
  'a:3:{i:0;i:1;i:0;i:2;i:1;R:2;}',
  'a:3:{i:0;i:1;i:1;R:2;i:0;i:5;}',
  'i:5;junk',
  'a:0:{}}',
  '',
  ';',
  'x',
  'N',
  'n;',
  'b:2;',
  'b:1',
  'i:;',
  'i:-;',
  'i:1',
  'i: 1;',
  'i:1.5;',
  'O:8:"stdclass":0:{}',
  'o:8:"stdClass":0:{}',
];
const SESSION_SEEDS = {
  php: [
    '',
    'a|i:1;b|R:1;c|s:3:"a|b";',
    'user|O:8:"stdClass":1:{s:1:"a";i:1;}x|r:1;',
    'a|i:1;a|i:2;b|a:1:{i:0;i:1;}',
    '|i:1;',
    'a|i:1;junk',
    'a|i:1;;b|i:2;',
    'a',
    'a|',
    '!a|i:1;',
    'a|i:1;b|a:1:{i:0;R:1;}',
    '_SESSION|i:1;GLOBALS|i:2;',
    'a|a:1:{i:0;O:8:"stdClass":0:{}}b|r:2;c|R:2;',
  ],
  php_serialize: [
    '',
    'a:0:{}',
    'a:3:{s:1:"a";i:1;s:1:"b";R:2;i:5;s:1:"x";}',
    'a:2:{s:1:"a";O:8:"stdClass":0:{}s:1:"b";r:2;}',
    'a:1:{s:1:"a";i:1;}junk',
    'N;',
    'a:1:{s:1:"a|";i:1;}',
  ],
  php_binary: [
    '',
    '\u0001ai:1;\u0001bR:1;',
    '\u0004userO:8:"stdClass":1:{s:1:"a";i:1;}\u0001xr:1;',
    '\u0000i:1;',
    '\u0081ai:1;',
    '\u0005ai:1;',
    '\u0001a',
    '\u0001ai:1;\u0001ai:2;',
  ],
};
const ALPHABET = '0123456789:;{}"sSaOCirRbdN|+-.eIF\\\u0000!';

function mutate(text, next) {
  let result = text;
  for (let times = 1 + next(2); times > 0; times -= 1) {
    const at = next(result.length + 1);
    const character = ALPHABET[next(ALPHABET.length)];
    const from = next(result.length);
    const kinds = [
      () => result.slice(0, at) + character + result.slice(at),
      () => result.slice(0, at) + result.slice(at + 1),
      () => result.slice(0, at) + character + result.slice(at + 1),
      () => result.slice(0, at) + result.slice(from, from + next(8)) + result.slice(at),
      () => result.slice(0, at),
    ];
    result = kinds[next(kinds.length)]();
  }
  return result;
}

/** Only PHP knows which classes and cases exist, so what depends on it is no case for a codec. */
function dependsOnClasses(text) {
  return (
    /E:|C:/.test(text) ||
    /"(?!stdClass"|Point"|Modern"|Missing")[A-Za-z_\\]{3,}":/.test(text) ||
    /O:5:|O:6:|O:7:/.test(text)
  );
}

function withMutants(seeds, count, seed) {
  const next = sequence(seed);
  const cases = new Set(seeds);
  for (let left = count; left > 0; left -= 1) {
    const mutant = mutate(seeds[next(seeds.length)], next);
    if (!dependsOnClasses(mutant)) cases.add(mutant);
  }
  return [...cases];
}

async function startPhp() {
  const { resolveServers } = await import(
    pathToFileURL(join(ROOT, 'dist', 'testing', 'servers', 'resolve-servers.js')).href
  );
  const { php } = await resolveServers(['php']);
  const args = [
    ...php.cli.prefixArgs,
    ...php.extensionArgs,
    join(ROOT, 'test', 'integration', 'php-codec.php'),
  ];
  const child = spawn(php.cli.command, args, {
    env: { ...process.env, ...php.cli.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    version: php.cli.version,
    async ask(questions) {
      child.stdin.write(`${JSON.stringify({ questions })}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error('PHP ended without an answer');
      return JSON.parse(value);
    },
    close: () => child.stdin.end(),
  };
}

const latin1 = (base64) => Buffer.from(base64, 'base64').toString('latin1');
const base64 = (text) => Buffer.from(text, 'latin1').toString('base64');

function write(name, php, content) {
  const cases = content.cases.map((item) => JSON.stringify(item)).join(',\n');
  const rest = JSON.stringify({ php, ...content, cases: undefined }).slice(0, -1);
  settleFixture(name, `${rest},"cases":[\n${cases}\n]}\n`, ['cases']);
}

await ensureDependencies();
await ensureBuild();
const php = await startPhp();

const numbers = floats();
const [{ texts }] = await php.ask([{ op: 'floats', bits: numbers }]);
write('php-floats', php.version, {
  about: 'bits: the double, big endian; text: what serialize() writes',
  cases: numbers.map((hex, index) => ({ bits: hex, text: texts[index] })),
});

const inputs = withMutants(SEEDS, 1500, 1);
const verdicts = await php.ask(inputs.map((data) => ({ op: 'unserialize', data: base64(data) })));
write('php-grammar', php.version, {
  about:
    'data: the input, one character per byte; written: serialize(unserialize(data)), null when PHP refuses the data',
  cases: inputs.map((data, index) => ({
    data,
    written: verdicts[index].ok ? latin1(verdicts[index].data) : null,
  })),
});

const sessions = [];
for (const [index, handler] of Object.keys(SESSION_SEEDS).entries()) {
  const list = withMutants(SESSION_SEEDS[handler], 300, index + 5);
  const answers = await php.ask(list.map((data) => ({ op: 'session', handler, data: base64(data) })));
  list.forEach((data, at) => {
    sessions.push({ handler, data, written: answers[at].ok ? latin1(answers[at].data) : null });
  });
}
write('php-sessions', php.version, {
  about:
    'data: the container; written: session_encode() after session_decode(data), null when PHP cannot decode it',
  cases: sessions,
});

const [{ cases: values }] = await php.ask([{ op: 'generate', seed: 7, count: 150 }]);
const generated = values.map(({ data, igbinary }) => ({
  handler: null,
  data: latin1(data),
  igbinary: latin1(igbinary),
}));
for (const handler of HANDLERS) {
  const [{ cases }] = await php.ask([{ op: 'generate-session', handler, seed: 11, count: 60 }]);
  generated.push(...cases.map((data) => ({ handler, data: latin1(data) })));
}
write('php-values', php.version, {
  about:
    'values that PHP made up: serialize() and igbinary_serialize() of the same one; with a handler, a session',
  cases: generated,
});
php.close();
