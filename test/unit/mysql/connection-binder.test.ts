import { describe, expect, test } from 'vitest';
import { Deadline } from '../../../src/common/deadline.js';
import { ErrorCode, StormlampError } from '../../../src/common/stormlamp-error.js';
import { bindReader, bindWriter, tryBindReader } from '../../../src/mysql/connection-binder.js';
import type { CallContext, SessionPorts } from '../../../src/mysql/session-ports.js';
import { initialTopology } from '../../../src/topology/describe-topology.js';

/** A cluster whose writer is what `writers` says, one after the other, with every attempt to connect. */
function clusterOf(
  writers: readonly string[],
  connect: (node: string) => unknown,
): { ports: SessionPorts; tried: string[] } {
  const tried: string[] = [];
  const ports = {
    router: {
      get writer(): string | undefined {
        return writers[tried.length] ?? writers.at(-1);
      },
      topology: initialTopology([]),
    },
    // The time is over with the first attempt.
    blockMs: 0,
    checkOpen: () => undefined,
    refresh: () => Promise.resolve(),
    node: (id: string) => ({
      acquire: () => {
        tried.push(id);
        return Promise.resolve().then(() => connect(id));
      },
    }),
  };
  return { ports: ports as unknown as SessionPorts, tried };
}

const context: CallContext = { deadline: Deadline.of({ timeoutMs: 30_000 }), scope: undefined };
const gone = (node: string): never => {
  throw new StormlampError(ErrorCode.NODE_UNREACHABLE, `${node} is gone`, { node });
};

test('a write whose patience ends when another node has become the primary goes there', async () => {
  const { ports, tried } = clusterOf(['a', 'b'], (node) => (node === 'a' ? gone(node) : node));
  await expect(bindWriter(ports, context)).resolves.toMatchObject({ connection: 'b' });
  expect(tried).toEqual(['a', 'b']);
});

test('it does not follow the primary for ever', async () => {
  const { ports, tried } = clusterOf(['a', 'b', 'a', 'b', 'a'], gone);
  await expect(bindWriter(ports, context)).rejects.toThrow('b is gone');
  expect(tried).toEqual(['a', 'b']);
});

test('the last error is told when the same node is still the primary', async () => {
  const { ports, tried } = clusterOf(['a'], gone);
  await expect(bindWriter(ports, context)).rejects.toThrow('a is gone');
  expect(tried).toEqual(['a']);
});

describe('a read that no node may serve', () => {
  /** A cluster whose primary is there; nobody serves reads until they were asked `refusals` times. */
  function shutOff(isShutOff: boolean, refusals: number, blockMs = 30_000) {
    let asked = 0;
    const ports = {
      router: {
        writer: 'a',
        preferenceIn: () => 'replica-preferred',
        mayStillRead: () => true,
        isShutOff: () => isShutOff,
        reader: () => {
          asked += 1;
          if (asked > refusals) return { node: 'a', role: 'primary', because: '' };
          throw new StormlampError(ErrorCode.NO_REPLICA, 'nobody serves');
        },
      },
      blockMs,
      checkOpen: () => undefined,
      waitForWriter: () => Promise.resolve('a'),
      node: (id: string) => ({ acquire: () => Promise.resolve(id), tryAcquire: () => id }),
    };
    return ports as unknown as SessionPorts;
  }

  test('waits while only the breaker of the primary is in the way', async () => {
    expect(tryBindReader(shutOff(true, 1), context, { nodes: undefined })).toBeUndefined();
    const bound = bindReader(shutOff(true, 3), context, { nodes: undefined });
    await expect(bound).resolves.toMatchObject({ connection: 'a' });
  });

  test('but not for ever, and not for anything else', async () => {
    const never = Number.POSITIVE_INFINITY;
    await expect(bindReader(shutOff(true, never, 50), context, { nodes: undefined })).rejects.toThrow(
      'nobody',
    );
    expect(() => tryBindReader(shutOff(false, 1), context, { nodes: undefined })).toThrow('nobody');
    await expect(bindReader(shutOff(false, 1), context, { nodes: undefined })).rejects.toThrow('nobody');
  });
});

describe('a read whose replica does not let the application in', () => {
  function cluster(isOpen: (node: string) => boolean) {
    const asked: string[] = [];
    const ports = {
      router: {
        preferenceIn: () => 'replica-preferred',
        mayStillRead: () => true,
        reader: (_scope: unknown, tried: ReadonlySet<string> | undefined) => ({
          node: ['b', 'c', 'a'].find((id) => tried?.has(id) !== true) ?? 'b',
          because: '',
        }),
      },
      checkOpen: () => undefined,
      refresh: () => Promise.resolve(),
      node: (id: string) => ({
        acquire: async () => {
          asked.push(id);
          if (isOpen(id)) return id;
          throw new StormlampError(ErrorCode.ACCESS_DENIED, `${id} does not know app`, { node: id });
        },
      }),
    };
    return { ports: ports as unknown as SessionPorts, asked };
  }

  test('goes to another one', async () => {
    const { ports, asked } = cluster((id) => id === 'a');
    const bound = bindReader(ports, context, { nodes: undefined });
    await expect(bound).resolves.toMatchObject({ connection: 'a' });
    expect(asked).toEqual(['b', 'c', 'a']);
  });

  test('fails with what they said when none does', async () => {
    const { ports, asked } = cluster(() => false);
    await expect(bindReader(ports, context, { nodes: undefined })).rejects.toMatchObject({
      code: ErrorCode.ACCESS_DENIED,
      message: 'a does not know app',
    });
    expect(asked).toEqual(['b', 'c', 'a']);
  });
});

test('a read whose node has become unfit while its connections were waited for goes to another one, and takes none along', async () => {
  const released: string[] = [];
  const nodes = ['b', 'c'];
  const ports = {
    router: {
      preferenceIn: () => 'replica-preferred',
      reader: () => ({ node: nodes.shift(), because: '' }),
      mayStillRead: (node: string) => node === 'c',
    },
    checkOpen: () => undefined,
    release: (connection: string) => released.push(connection),
    node: (id: string) => ({ acquire: () => Promise.resolve(id) }),
  };
  const bound = bindReader(ports as unknown as SessionPorts, context, { nodes: undefined });
  await expect(bound).resolves.toMatchObject({ connection: 'c' });
  expect(released).toEqual(['b']);
});
