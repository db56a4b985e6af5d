/** The tiered cache on real memcached, with PHP's `Memcached` class at the same keys. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { CacheOptions } from '../../src/cache/cache-options.js';
import { createTieredCache } from '../../src/cache/create-tiered-cache.js';
import type { TieredCache } from '../../src/cache/tiered-cache.js';
import { ErrorCode } from '../../src/common/stormlamp-error.js';
import { createCluster } from '../../src/create-cluster.js';
import type { MemcachedNode } from '../../src/memcached/memcached-node.js';
import { createMemcachedNode } from '../../src/memcached/memjs-node.js';
import { type LocalCluster, startLocalCluster } from '../../src/testing/index.js';
import { eventually } from './eventually.js';

let servers: LocalCluster;
const caches: TieredCache[] = [];

beforeAll(async () => {
  servers = await startLocalCluster({ databases: false });
});
afterAll(async () => {
  await servers?.close();
});
afterEach(async () => {
  await Promise.all(caches.splice(0).map((cache) => cache.close()));
  for (const node of servers.memcached) if (node.state !== 'running') await node.start();
});

/** A cache that takes no answer for late because the machine is busy: its node would be down, which is another story. */
function open(options: Partial<CacheOptions> = {}): TieredCache {
  const nodes = servers.memcached.map(({ id }) => id);
  const cache = createTieredCache({ nodes, operationTimeoutMs: 10_000, ...options });
  caches.push(cache);
  return cache;
}

let names = 0;
function newKey(): string {
  names += 1;
  return `key.${names}`;
}

/** PHP with a Memcached object `$m` that is set up like the cache's defaults. */
async function php(code: string, settings = ''): Promise<string> {
  const list = servers.memcached.map(({ id }) => id.split(':'));
  const { stdout, stderr } = await servers.php(
    `<?php $m = new Memcached(); $m->addServers(json_decode('${JSON.stringify(list.map(([host, port]) => [host, Number(port)]))}'));
    $m->setOption(Memcached::OPT_PREFIX_KEY, 'cache.');
    $m->setOption(Memcached::OPT_DISTRIBUTION, Memcached::DISTRIBUTION_CONSISTENT);
    ${settings} ${code}`,
  );
  expect(stderr).toBe('');
  return stdout;
}

/** What both languages can say in JSON. */
const VALUES: Readonly<Record<string, unknown>> = {
  text: 'caf\u00e9',
  empty: '',
  long: 'abcdefghij'.repeat(400),
  varied: Array.from({ length: 9_000 }, (_, index) => `line ${(index * 7_919) % 4_001}`).join('\n'),
  int: 42,
  negative: -7,
  float: 0.1,
  large: 1.5e300,
  yes: true,
  no: false,
  none: null,
  list: [1, 'two', [3.5, null]],
  map: { name: 'x', 'a b': { '10': 'ten', deep: [true] } },
  many: Array.from({ length: 500 }, (_, index) => `value ${index}`),
};
const SERIALIZERS = ['php', 'igbinary', 'json'] as const;
const COMPRESSIONS = ['fastlz', 'zlib', 'none'] as const;
const PHP_COMPRESSION = {
  fastlz: 'Memcached::OPT_COMPRESSION_TYPE, Memcached::COMPRESSION_FASTLZ',
  zlib: 'Memcached::OPT_COMPRESSION_TYPE, Memcached::COMPRESSION_ZLIB',
  none: 'Memcached::OPT_COMPRESSION, false',
};

describe('values that PHP and Node share', () => {
  test.each(
    SERIALIZERS.flatMap((serializer) =>
      COMPRESSIONS.map((compression) => [serializer, compression] as const),
    ),
  )('%s, %s: what PHP stores is read, and what is stored PHP reads', async (serializer, compression) => {
    const mine = newKey();
    const settings = `$m->setOption(Memcached::OPT_SERIALIZER, Memcached::SERIALIZER_${serializer.toUpperCase()}${serializer === 'json' ? '_ARRAY' : ''});
        $m->setOption(${PHP_COMPRESSION[compression]});`;
    const json = Buffer.from(JSON.stringify(VALUES)).toString('base64');
    const failed = await php(
      `foreach (json_decode(base64_decode('${json}'), true) as $k => $v) if (!$m->set('${mine}.php.'.$k, $v)) echo $k;`,
      settings,
    );
    expect(failed).toBe('');
    const cache = open({ serializer, compression });
    for (const [name, value] of Object.entries(VALUES)) {
      expect(await cache.get(`${mine}.php.${name}`), name).toEqual(value);
      expect(await cache.set(`${mine}.node.${name}`, value), name).toBe(true);
    }
    // PHP tells what differs from what Node meant, by type and value.
    const wrong = await php(
      `foreach (json_decode(base64_decode('${json}'), true) as $k => $v) { $got = $m->get('${mine}.node.'.$k); if ($m->getResultCode() !== 0 || $got !== $v) echo $k, ' '; }`,
      settings,
    );
    expect(wrong).toBe('');
  });

  test.each([
    ['ketama', '$m->setOption(Memcached::OPT_DISTRIBUTION, Memcached::DISTRIBUTION_CONSISTENT);'],
    ['ketama_weighted', '$m->setOption(Memcached::OPT_LIBKETAMA_COMPATIBLE, true);'],
    ['modula', '$m->setOption(Memcached::OPT_DISTRIBUTION, Memcached::DISTRIBUTION_MODULA);'],
  ] as const)('%s: PHP looks on the same node', async (distribution, settings) => {
    const cache = open({ distribution });
    const keys = Array.from({ length: 40 }, newKey);
    for (const key of keys) await cache.set(key, key);
    const found = await php(
      `foreach (json_decode('${JSON.stringify(keys)}') as $k) if ($m->get($k) === $k) echo '+';`,
      settings,
    );
    expect(found).toBe('+'.repeat(keys.length));
  });

  test('bytes that are no text are a Buffer', async () => {
    const key = newKey();
    await php(`$m->set('${key}', "\\xff\\x00\\xfe");`);
    expect(await open().get(key)).toEqual(Buffer.from([0xff, 0, 0xfe]));
  });
});

describe('wrap', () => {
  test('gives what is longer than the limit to who made it, stores nothing, and tells so', async () => {
    const key = newKey();
    const cache = open({ maxValueBytes: 100_000, local: { maxEntries: 0 } });
    const told: string[] = [];
    cache.on('value-too-large', ({ bytes }) => told.push(`too large: ${bytes}`));
    cache.on('value-unreadable', () => told.push('unreadable'));
    await cache.set(key, 'old');
    // PHP's keys and lengths make some more of it.
    const list = Array.from({ length: 40_000 }, (_, id) => ({ id, name: 'product' }));
    expect(await cache.set(key, list)).toBe(false);
    expect(await cache.get(key)).toBeUndefined();
    let made = 0;
    const make = (): unknown => {
      made += 1;
      return list;
    };
    expect(await cache.wrap(key, make)).toEqual(list);
    expect(made).toBe(1);
    expect(await open().get(key)).toBeUndefined();
    expect(told).toEqual([expect.stringMatching(/^too large: \d{7}$/), expect.stringMatching(/^too large/)]);
    expect(await cache.wrap(key, () => 'short')).toBe('short');
    expect(await open().get(key)).toBe('short');
  });

  test('a missing value is made once, however many ask in however many processes', async () => {
    const key = newKey();
    const fleet = [open(), open(), open()];
    let made = 0;
    const make = async (): Promise<{ made: number }> => {
      made += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { made };
    };
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => (fleet[index % 3] as TieredCache).wrap(key, make)),
    );
    expect(made).toBe(1);
    expect(answers).toEqual(Array.from({ length: 30 }, () => ({ made: 1 })));
  });

  test('a value that cannot be made is not stored, and whoever waits makes it themselves', async () => {
    const key = newKey();
    const [one, other] = [open(), open()];
    let calls = 0;
    const make = async (): Promise<string> => {
      calls += 1;
      if (calls === 1) throw new Error('the database is down');
      return 'made';
    };
    const answers = await Promise.allSettled([one.wrap(key, make), other.wrap(key, make)]);
    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await one.get(key)).toBe('made');
  });

  test('what takes longer than flightMs to make is stored', async () => {
    const [key, clock] = [newKey(), newKey()];
    const cache = open({ flightMs: 500 });
    const reader = open();
    // By the clock of memcached, which ends a mark that nobody renews.
    const make = async (): Promise<string> => {
      await onEveryNode((node) => node.set(clock, Buffer.from('x'), { exptime: 3 }));
      await eventually('three seconds are over', () => isGone(clock));
      return 'report';
    };
    expect(await cache.wrap(key, make)).toBe('report');
    expect(await reader.get(key)).toBe('report');
  });

  test('a value near its end is served while one process makes it anew', async () => {
    const key = newKey();
    const fleet = [open({ local: { ttlMs: 1 } }), open({ local: { ttlMs: 1 } })];
    let made = 0;
    let release = (): void => undefined;
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const make = async (): Promise<number> => {
      made += 1;
      if (made > 1) await blocked;
      return made;
    };
    const options = { ttlMs: 600_000 };
    const early = open({ refreshAt: 0 });
    expect(await early.wrap(key, make, options)).toBe(1);
    await eventually('a reader has begun to make it anew', async () => {
      for (const cache of fleet) expect(await cache.wrap(key, make, options)).toBe(1);
      return made === 2;
    });
    for (const cache of fleet) expect(await cache.wrap(key, make, options)).toBe(1);
    release();
    await eventually('the new value is served', async () => (await fleet[1]?.wrap(key, make, options)) === 2);
    expect(made).toBe(2);
  });

  test('"there is none" is kept, told apart from null, and null to PHP', async () => {
    const key = newKey();
    const [one, other] = [open(), open()];
    let asked = 0;
    const make = (): undefined => {
      asked += 1;
      return undefined;
    };
    expect(await one.wrap(key, make)).toBeUndefined();
    expect(await other.wrap(key, make)).toBeUndefined();
    expect(asked).toBe(1);
    expect(await php(`var_dump($m->get('${key}')); echo $m->getResultCode();`)).toBe('NULL\n0');
    const unkept = newKey();
    for (const cache of [one, other]) await cache.wrap(unkept, make, { negativeTtlMs: 0 });
    expect(asked).toBe(3);
    const empty = newKey();
    expect(await one.wrap(empty, () => null)).toBeNull();
    expect(await other.wrap(empty, () => 'other')).toBeNull();
  });

  test('"there is none" that is not to be kept is stored nowhere, and replaces what is', async () => {
    const cache = open({ negativeTtlMs: 0 });
    const [missing, replaced, renewed] = [newKey(), newKey(), newKey()];
    await cache.set(missing, undefined);
    await cache.set(replaced, 'old');
    expect(await cache.set(replaced, undefined)).toBe(true);
    expect(
      await php(
        `foreach (['${missing}', '${replaced}'] as $k) { $m->get($k); echo $m->getResultCode(), ' '; }`,
      ),
    ).toBe('16 16 ');
    expect(await cache.wrap(replaced, () => 'made')).toBe('made');
    // A value that is made anew and is no more is not served on.
    const reader = open({ local: { maxEntries: 0 } });
    await open({ refreshAt: 0 }).set(renewed, 'old', { ttlMs: 600_000 });
    await eventually('it is gone', async () => {
      await cache.wrap(renewed, () => undefined);
      return (await reader.get(renewed)) === undefined;
    });
  });

  test.each([0, 0.8, 1])(
    'refreshed at %d of its life: no process has a value after its end',
    async (refreshAt) => {
      const [value, none] = [newKey(), newKey()];
      const writer = open({ refreshAt, negativeTtlMs: 1_000 });
      const reader = open({ local: { ttlMs: 600_000 } });
      await writer.set(value, 'short', { ttlMs: 1_000 });
      await writer.set(none, undefined);
      await eventually('the reader has neither', async () => {
        const [found, made] = [await reader.get(value), await reader.wrap(none, () => 'made')];
        return found === undefined && made === 'made';
      });
    },
  );

  test('a value that is asked for inside its own making is made there', async () => {
    const [key, other] = [newKey(), newKey()];
    const cache = open({ waitMs: 50, local: { maxEntries: 0 } });
    const inner = (): Promise<string> => cache.wrap(key, () => 'inner');
    expect(await cache.wrap(key, () => cache.wrap(other, inner))).toBe('inner');
    expect(await open().get(key)).toBe('inner');
  });

  test('every caller has a copy of their own', async () => {
    const key = newKey();
    const cache = open();
    const first = await cache.wrap(key, () => ({ list: [1] }));
    first.list.push(2);
    expect(await cache.wrap(key, () => ({ list: [] }))).toEqual({ list: [1] });
  });

  test('what is stored and cannot be read is made anew', async () => {
    const key = newKey();
    const cache = open();
    const unreadable: string[] = [];
    cache.on('value-unreadable', (event) => void unreadable.push(event.key));
    await php(`$m->set('${key}', "x");`);
    const writer = open();
    await writer.set(key, { a: 1 });
    await rawFlags(key, 7);
    expect(await cache.wrap(key, () => 'anew')).toBe('anew');
    expect(unreadable).toContain(key);
    expect(await open().get(key)).toBe('anew');
  });

  test('an abort ends the wait of who aborted, and nobody else\u2019s', async () => {
    const key = newKey();
    const cache = open();
    const abort = new AbortController();
    let release = (): void => undefined;
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const make = async (): Promise<string> => {
      await blocked;
      return 'made';
    };
    const impatient = cache.wrap(key, make, { signal: abort.signal });
    const patient = cache.wrap(key, make);
    abort.abort();
    await expect(impatient).rejects.toMatchObject({ code: ErrorCode.ABORTED });
    release();
    expect(await patient).toBe('made');
  });
});

describe('changes', () => {
  const LONG = { local: { ttlMs: 600_000 } };

  test('a change here is seen there, though both have it in the process', async () => {
    const key = newKey();
    const [one, other] = [open(LONG), open(LONG)];
    await one.set(key, 'old');
    expect(await other.get(key)).toBe('old');
    await eventually('it is served from the process', async () => {
      await other.get(key);
      return other.stats().localHits > 0;
    });
    await one.set(key, 'new');
    expect(await one.get(key)).toBe('new');
    await eventually('the other one sees it', async () => (await other.get(key)) === 'new');
    await other.delete(key);
    await eventually('it is gone here too', async () => (await one.get(key)) === undefined);
  });

  test('after a set no read of the same process gives what another one was reading meanwhile', async () => {
    const cache = open({ ...LONG, pollMs: 600_000 });
    const writer = open();
    for (let round = 0; round < 10; round += 1) {
      const [key, large] = [newKey(), newKey()];
      await writer.set(key, 'old');
      await writer.set(large, 'old');
      // What is told of something else in between keeps the new value out of the process, too.
      await Promise.all([cache.get(key), cache.set(key, 'new'), cache.invalidateTags(['other'])]);
      expect(await cache.get(key)).toBe('new');
      const [, stored] = await Promise.all([cache.get(large), cache.set(large, randomBytes(2_000_000))]);
      expect(stored).toBe(false);
      expect(await cache.get(large)).toBeUndefined();
    }
  });

  test.each(['set', 'delete'] as const)(
    'a %s that is given up is told: it may have happened',
    async (change) => {
      const key = newKey();
      const cache = open();
      await cache.set(key, 'old');
      const before = await php(`echo $m->get('~log');`);
      const abort = new AbortController();
      const { signal } = abort;
      const changing = change === 'set' ? cache.set(key, 'new', { signal }) : cache.delete(key, { signal });
      abort.abort();
      await expect(changing).rejects.toMatchObject({ code: ErrorCode.ABORTED });
      expect(BigInt(await php(`echo $m->get('~log');`))).toBe(BigInt(before) + 1n);
    },
  );

  test('a process that missed too much forgets everything', async () => {
    const key = newKey();
    const [one, other] = [open(LONG), open(LONG)];
    await one.set(key, 'old');
    await eventually('it is in the other process', async () => {
      await other.get(key);
      return other.stats().localEntries > 0;
    });
    // The log is lost with its node, and so is the word of the change.
    await php(`$m->delete('~log'); $m->set('${key}', 'new');`);
    await one.set(newKey(), 'anything');
    await eventually('the other one reads anew', async () => (await other.get(key)) === 'new');
  });

  /** A maker that waits until it is released, and tells when it began. */
  function heldMaker(value: string) {
    let release = (): void => undefined;
    let begin = (): void => undefined;
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const make = async (): Promise<string> => {
      begin();
      await blocked;
      return value;
    };
    return { make, begun, release: () => release() };
  }

  test.each(['delete', 'set', 'invalidateTags'] as const)(
    'who asks after %s in the same process does not get what was begun before it',
    async (change) => {
      const key = newKey();
      const cache = open();
      const tags = ['held'];
      const held = heldMaker('outdated');
      const making = cache.wrap(key, held.make, { tags });
      await held.begun;
      if (change === 'delete') await cache.delete(key);
      else if (change === 'set') await cache.set(key, 'new', { tags });
      else await cache.invalidateTags(tags);
      const after = cache.wrap(key, async () => 'new', { tags });
      // After a change of tags it may wait for the one that is making it, and makes it itself after that.
      if (change !== 'invalidateTags') expect(await after).toBe('new');
      held.release();
      expect(await making).toBe('outdated');
      expect(await after).toBe('new');
      expect(await cache.wrap(key, async () => 'newer', { tags })).toBe('new');
    },
  );

  test('a value that was removed is not stored by one who lost patience with another maker, either', async () => {
    const key = newKey();
    const [slow, hasty, third] = [open(), open({ waitMs: 50 }), open()];
    const [first, second] = [heldMaker('outdated'), heldMaker('outdated, too')];
    const making = slow.wrap(key, first.make);
    await first.begun;
    const beside = hasty.wrap(key, second.make);
    await second.begun;
    expect(await third.delete(key)).toBe(true);
    first.release();
    second.release();
    expect(await Promise.all([making, beside])).toEqual(['outdated', 'outdated, too']);
    for (const cache of [slow, hasty, third]) expect(await cache.get(key)).toBeUndefined();
  });

  test('who lost patience stores what is made when nobody removed it', async () => {
    const key = newKey();
    const [slow, hasty] = [open(), open({ waitMs: 50 })];
    const first = heldMaker('slow');
    const making = slow.wrap(key, first.make);
    await first.begun;
    expect(await hasty.wrap(key, async () => 'hasty')).toBe('hasty');
    expect(await open().get(key)).toBe('hasty');
    first.release();
    await making;
  });

  test('a value that was removed while it was made is not stored', async () => {
    const key = newKey();
    const [one, other] = [open(), open()];
    let release = (): void => undefined;
    let started = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      started = resolve;
    });
    const blocked = new Promise<void>((resolve) => {
      release = resolve;
    });
    const making = one.wrap(key, async () => {
      started();
      await blocked;
      return 'outdated';
    });
    await begun;
    await other.delete(key);
    release();
    expect(await making).toBe('outdated');
    expect(await one.get(key)).toBeUndefined();
    expect(await other.get(key)).toBeUndefined();
  });

  test('what PHP stores while a missing value is made stays', async () => {
    const key = newKey();
    const cache = open();
    const made = await cache.wrap(key, async () => {
      await php(`$m->set('${key}', 'new');`);
      return 'outdated';
    });
    expect(made).toBe('outdated');
    for (const reader of [cache, open()]) expect(await reader.get(key)).toBe('new');
  });

  test.each([
    ['set', 'new'],
    ['delete', undefined],
    [undefined, 'anew'],
  ] as const)('what PHP does (%s) while a value is made anew stays done', async (change, after) => {
    const key = newKey();
    await open({ refreshAt: 0 }).set(key, 'old', { ttlMs: 600_000 });
    const cache = open({ local: { maxEntries: 0 } });
    const held = heldMaker('anew');
    await eventually('it is made anew', async () => {
      expect(await cache.wrap(key, held.make, { ttlMs: 600_000 })).toBe('old');
      return cache.stats().refreshed === 1;
    });
    if (change === 'set') await php(`$m->set('${key}', 'new');`);
    if (change === 'delete') await php(`$m->delete('${key}');`);
    held.release();
    // It waits for what is being made.
    await cache.close();
    expect(await open().get(key)).toBe(after);
  });

  test('a value that PHP stores while there is found to be none stays', async () => {
    const key = newKey();
    await open({ refreshAt: 0 }).set(key, 'old', { ttlMs: 600_000 });
    const cache = open({ local: { maxEntries: 0 }, negativeTtlMs: 0 });
    const none = async (): Promise<undefined> => {
      await php(`$m->set('${key}', 'new');`);
      return undefined;
    };
    await eventually('it is made anew', async () => {
      await cache.wrap<unknown>(key, none, { ttlMs: 600_000 });
      return cache.stats().refreshed === 1;
    });
    await cache.close();
    expect(await open().get(key)).toBe('new');
  });

  test('a value that ends while it is made anew is stored all the same', async () => {
    const key = newKey();
    await open({ refreshAt: 0 }).set(key, 'old', { ttlMs: 2_000 });
    const [cache, reader] = [open({ local: { maxEntries: 0 } }), open({ local: { maxEntries: 0 } })];
    const held = heldMaker('anew');
    await eventually('it is made anew', async () => {
      await cache.wrap(key, held.make, { ttlMs: 2_000 });
      return cache.stats().refreshed === 1;
    });
    await eventually('the old one has ended', async () => (await reader.get(key)) === undefined);
    held.release();
    await cache.close();
    expect(await reader.get(key)).toBe('anew');
  });

  test('a value whose tag was voided, and that ends while it is made anew, is stored all the same', async () => {
    const key = newKey();
    const [cache, reader] = [open(), open({ local: { maxEntries: 0 } })];
    const tags = [key];
    await cache.set(key, 'old', { tags, ttlMs: 2_000 });
    await cache.invalidateTags(tags);
    const held = heldMaker('anew');
    const making = cache.wrap(key, held.make, { tags, ttlMs: 600_000 });
    await held.begun;
    await eventually('the old one has ended', () => isGone(`cache.${key}`));
    held.release();
    expect(await making).toBe('anew');
    expect([await cache.get(key, { tags }), await reader.get(key, { tags })]).toEqual(['anew', 'anew']);
  });

  test('a voided tag voids its values everywhere, and no others', async () => {
    const [tagged, double, plain] = [newKey(), newKey(), newKey()];
    const [one, other] = [open(LONG), open(LONG)];
    await one.set(tagged, 1, { tags: ['users'] });
    await one.set(double, 2, { tags: ['users', 'posts'] });
    await one.set(plain, 3, { tags: ['posts'] });
    const read = (): Promise<unknown[]> =>
      Promise.all([
        other.get(tagged, { tags: ['users'] }),
        other.get(double, { tags: ['users', 'posts'] }),
        other.get(plain, { tags: ['posts'] }),
      ]);
    expect(await read()).toEqual([1, 2, 3]);
    expect(await one.invalidateTags(['users'])).toBe(true);
    await eventually('the other one sees it', async () => (await read())[0] === undefined);
    expect(await read()).toEqual([undefined, undefined, 3]);
    expect(await one.wrap(tagged, () => 4, { tags: ['users'] })).toBe(4);
    // PHP voids a tag by deleting its generation.
    expect(await php(`var_dump($m->delete('~tag.users'));`)).toBe('bool(true)\n');
    expect(await open().get(tagged, { tags: ['users'] })).toBeUndefined();
  });

  test('a voided tag voids a value for who asks without tags as well, with or without a level in the process', async () => {
    const key = newKey();
    const [maker, near, far] = [open(), open(), open({ local: { maxEntries: 0 } })];
    await maker.wrap(key, () => 'old', { tags: ['mixed', 'more'] });
    expect([await near.get(key), await far.get(key)]).toEqual(['old', 'old']);
    await maker.invalidateTags(['more']);
    expect([await maker.get(key), await far.get(key)]).toEqual([undefined, undefined]);
    await eventually('the other one is told', async () => (await near.get(key)) === undefined);
    const [plain, tagged] = await Promise.all([
      maker.wrap(key, () => 'new'),
      maker.wrap(key, () => 'new', { tags: ['mixed'] }),
    ]);
    expect([plain, tagged]).toEqual(['new', 'new']);
  });

  test('a value may have very many tags', async () => {
    const key = newKey();
    const tags = Array.from({ length: 2_500 }, (_, number) => `${key}-with-a-longer-name-${number}`);
    const [one, other] = [open(), open({ local: { maxEntries: 0 } })];
    expect(await one.set(key, 'tagged', { tags })).toBe(true);
    expect([await other.get(key, { tags }), await other.get(key)]).toEqual(['tagged', 'tagged']);
    await one.invalidateTags(tags.slice(-1));
    expect([await other.get(key, { tags }), await other.get(key)]).toEqual([undefined, undefined]);
  });

  test('what replaces a value with tags without any is not voided with them', async () => {
    const key = newKey();
    const [one, other] = [open(), open({ local: { maxEntries: 0 } })];
    await one.set(key, 'tagged', { tags: ['gone'] });
    await one.set(key, 'plain');
    await one.invalidateTags(['gone']);
    expect([await one.get(key), await other.get(key)]).toEqual(['plain', 'plain']);
  });

  test('a value whose tags are not noted yet, or not any more, is believed by nobody until PHP replaces it', async () => {
    const [key, none] = [newKey(), newKey()];
    const [maker, reader] = [open(), open()];
    await maker.set(key, 'tagged', { tags: ['noted'] });
    await maker.wrap(none, () => undefined, { tags: ['noted'] });
    // So it is when the maker dies between the two, and when the node has no room for the note.
    await onEveryNode((node) => node.delete(`cache.${key}~tags`));
    await onEveryNode((node) => node.delete(`cache.${none}~tags`));
    expect(await reader.get(key)).toBeUndefined();
    expect(await reader.wrap(none, () => 'made')).toBe('made');
    expect(await php(`echo $m->get('${key}'); $m->set('${key}', 'from PHP');`)).toBe('tagged');
    expect(await reader.get(key)).toBe('from PHP');
  });

  test('a tag that is voided while the value is made voids it', async () => {
    const key = newKey();
    const [one, other] = [open(), open()];
    await one.wrap(
      key,
      async () => {
        await other.invalidateTags(['t']);
        return 'outdated';
      },
      { tags: ['t'] },
    );
    expect(await other.get(key, { tags: ['t'] })).toBeUndefined();
  });
});

describe('a node that is down', () => {
  const SOON = { operationTimeoutMs: 250 };

  test.each(['kill', 'pause'] as const)('%s makes misses and never errors', async (how) => {
    const [cache, other] = [open({ ...SOON, local: { maxEntries: 0 } }), open(SOON)];
    const keys = Array.from({ length: 20 }, newKey);
    for (const key of keys) await cache.set(key, 'before');
    await servers.memcached[0]?.[how]();
    const answers: unknown[] = [];
    for (const key of keys) {
      answers.push(await cache.get(key));
      expect(await cache.wrap(key, () => 'made')).toBeTypeOf('string');
      await other.set(key, 'after');
      await other.delete(key);
      await other.invalidateTags(['t']);
    }
    expect(new Set(answers)).toEqual(new Set(['before', undefined]));
    expect(cache.stats().nodeFailures).toBeGreaterThan(0);
    if (how === 'pause') await servers.memcached[0]?.resume();
    else await servers.memcached[0]?.start();
    await eventually('it is used again', async () => {
      const stored = await Promise.all(keys.map((key) => cache.set(key, 'again')));
      return stored.every((done) => done);
    });
  });

  test('holds nobody up whose value has a tag there: it cannot be stored, and is waited for in vain', async () => {
    const caches = [
      open({ flightMs: 600_000, waitMs: 600_000 }),
      open({ flightMs: 600_000, waitMs: 600_000 }),
    ];
    // Of so many keys and tags each node has some.
    const keys = Array.from({ length: 12 }, newKey);
    const [probe] = caches;
    await servers.memcached[0]?.kill();
    let begun = 0;
    let release = (): void => undefined;
    const all = new Promise<void>((resolve) => {
      release = resolve;
    });
    const make = async (): Promise<string> => {
      begun += 1;
      await all;
      return 'made';
    };
    const tags = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'];
    await eventually('one of the tags is there', async () => (await probe?.invalidateTags(tags)) === false);
    const asked = caches.flatMap((cache) => keys.map((key) => cache.wrap(key, make, { tags })));
    await eventually('every process makes every value', () => begun === asked.length);
    release();
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['made']));
  });

  test('gets nothing that was begun to be made while it did not answer: nobody could tell that it was removed', async () => {
    const key = newKey();
    const cache = open({ ...SOON, local: { maxEntries: 0 } });
    const other = open({ local: { maxEntries: 0 } });
    await Promise.all([cache.get(key), other.get(key)]);
    for (const node of servers.memcached) await node.pause();
    const made = await cache.wrap(key, async () => {
      for (const node of servers.memcached) await node.resume();
      expect(await other.delete(key)).toBe(true);
      return 'outdated';
    });
    expect(made).toBe('outdated');
    expect([await cache.get(key), await other.get(key)]).toEqual([undefined, undefined]);
  });

  test('keeps none of the other tags from being voided for those who asked for errors', async () => {
    const cache = open({ onNodeDown: 'throw', local: { ttlMs: 600_000 } });
    const keys = Array.from({ length: 12 }, newKey);
    for (const key of keys) await cache.set(key, 'old', { tags: [key] });
    expect(cache.stats().localEntries).toBeGreaterThan(0);
    await servers.memcached[0]?.kill();
    await expect(cache.invalidateTags(keys)).rejects.toMatchObject({ code: /ERR_NODE|ERR_BREAKER/ });
    expect(cache.stats().localEntries).toBe(0);
  });

  test('is an error for those who asked for it', async () => {
    const cache = open({ onNodeDown: 'throw' });
    for (const node of servers.memcached) await node.kill();
    await expect(cache.get(newKey())).rejects.toMatchObject({ code: ErrorCode.NODE_UNREACHABLE });
    await expect(cache.wrap(newKey(), () => 1)).rejects.toMatchObject({ code: /ERR_NODE|ERR_BREAKER/ });
  });
});

test('keys that are the cache\u2019s own, options that do not exist and a closed cache are refused', async () => {
  const cache = open();
  await expect(cache.get('~log')).rejects.toMatchObject({ code: ErrorCode.INVALID_KEY });
  for (const own of ['user~tags', 'user~make']) {
    await expect(cache.set(own, 1)).rejects.toMatchObject({ code: ErrorCode.INVALID_KEY });
  }
  await expect(cache.get('a b')).rejects.toMatchObject({ code: ErrorCode.INVALID_KEY });
  await expect(cache.set('k', () => 1)).rejects.toMatchObject({ code: ErrorCode.PHP_VALUE });
  expect(() => open({ ttlms: 1 } as never)).toThrow(/did you mean `ttlMs`/);
  expect(() => createTieredCache({ nodes: [] })).toThrow(/nodes/);
  await cache.close();
  await expect(cache.get('k')).rejects.toMatchObject({ code: ErrorCode.CLOSED });
});

test('what is made after the cache was closed is given to who asked for it', async () => {
  const cache = open({ flightMs: 10 });
  const release = new AbortController();
  const began = new AbortController();
  const asked = cache.wrap(newKey(), async () => {
    began.abort();
    if (!release.signal.aborted) await once(release.signal, 'abort');
    return 'made';
  });
  if (!began.signal.aborted) await once(began.signal, 'abort');
  await cache.close();
  release.abort();
  expect(await asked).toBe('made');
});

test('changes that are under way when the cache is closed are made', async () => {
  const [cache, reader] = [open(), open()];
  const [changed, removed] = [newKey(), newKey()];
  await cache.set(removed, 'old');
  const changes = [cache.set(changed, 'new', { tags: [changed] }), cache.delete(removed)];
  await cache.close();
  expect(await Promise.all(changes)).toEqual([true, true]);
  expect([await reader.get(changed), await reader.get(removed)]).toEqual(['new', undefined]);
});

test('what a call does not take is refused before anything is stored', async () => {
  await using cache = open();
  const key = newKey();
  const refused = [
    [{ ttl: 5 }, /did you mean `ttlMs`/],
    [{ tags: 'posts' }, /`tags` to be a list of strings/],
    [{ tags: [7] }, /`tags` to be a list of strings/],
    [{ ttlMs: '60000' }, /`options\.ttlMs` to be a finite number/],
    [{ ttlMs: Number.POSITIVE_INFINITY }, /`options\.ttlMs`/],
    [{ negativeTtlMs: -1 }, /`options\.negativeTtlMs`/],
  ] as const;
  for (const [options, message] of refused) {
    const set = cache.set(key, 1, options as never);
    await expect(set, JSON.stringify(options)).rejects.toMatchObject({
      code: ErrorCode.INVALID_OPTION,
      message: expect.stringMatching(message),
    });
  }
  await expect(cache.invalidateTags('posts' as never)).rejects.toMatchObject({
    code: ErrorCode.INVALID_OPTION,
  });
  expect(await cache.get(key)).toBe(undefined);
});

/** Does something to an item on every node: only one of them has it. */
async function onEveryNode(work: (node: MemcachedNode) => Promise<unknown>): Promise<void> {
  for (const { id } of servers.memcached) {
    const [host = '', port] = id.split(':');
    const node = createMemcachedNode({ address: { host, port: Number(port) } });
    await work(node);
    await node.close();
  }
}

/** Whether no node has an item. */
async function isGone(key: string): Promise<boolean> {
  let left = 0;
  await onEveryNode(async (node) => {
    if ((await node.get(key)) !== null) left += 1;
  });
  return left === 0;
}

/** Gives the stored item other flags, as an extension with another serializer would. */
async function rawFlags(key: string, flags: number): Promise<void> {
  await onEveryNode(async (node) => {
    const item = await node.get(`cache.${key}`);
    if (item !== null) await node.set(`cache.${key}`, item.value, { exptime: 60, flags });
  });
}

test('a cluster has it as one of its parts', async () => {
  const nodes = servers.memcached.map(({ id }) => id);
  await using cluster = await createCluster({ cache: { nodes } });
  expect(await cluster.cache.wrap(newKey(), () => 'made')).toBe('made');
  expect(() => cluster.sessions).toThrow(/created without `sessions`/);
  await expect(createCluster({ cache: { nodes, ttlMs: -1 } })).rejects.toMatchObject({
    code: ErrorCode.INVALID_OPTION,
  });
});
