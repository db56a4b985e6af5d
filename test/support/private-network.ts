/**
 * A network namespace for one process, in which nothing is to be reached but the servers, over links of its own that can be cut
 * one by one: to the process, cut is silence. The addresses of the servers are the same inside and outside.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What gets lost of a link that is cut. */
export type Lost = 'everything' | 'answers';

/** One way from the process to a server: the process listens on `port` inside, and connects to `path`. */
export interface Way {
  readonly port: number;
  readonly path: string;
}

interface Link {
  readonly server: Server;
  readonly pairs: Set<Pair>;
  lost: Lost | undefined;
}

/** `near` is the process's end, `far` the server's; both are there until both are closed. */
interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** The links of one process. */
export class PrivateNetwork implements AsyncDisposable {
  readonly ways: readonly Way[];
  readonly #folder: string;
  readonly #links: ReadonlyMap<number, Link>;

  private constructor(folder: string, ways: readonly Way[], links: ReadonlyMap<number, Link>) {
    this.#folder = folder;
    this.ways = ways;
    this.#links = links;
  }

  /** Makes a link to each of `ports` of this machine. */
  static async open(ports: readonly number[]): Promise<PrivateNetwork> {
    const folder = mkdtempSync(join(tmpdir(), 'stormlamp-net-'));
    const links = new Map<number, Link>();
    const ways = ports.map((port) => ({ port, path: join(folder, String(port)) }));
    for (const { port, path } of ways) {
      const link: Link = { server: createServer(), pairs: new Set(), lost: undefined };
      link.server.on('connection', (near) => relay(link, near, port));
      await new Promise<void>((done) => link.server.listen(path, done));
      links.set(port, link);
    }
    return new PrivateNetwork(folder, ways, links);
  }

  /** Cuts the links to `ports`: connections stay, new ones are accepted, and nothing arrives any more. */
  cut(ports: readonly number[], lost: Lost = 'everything'): void {
    for (const port of ports) {
      const link = this.#link(port);
      link.lost = lost;
      for (const pair of link.pairs) stall(pair, lost);
    }
  }

  /** Mends all links. What was held back arrives late, as it does in a network. */
  heal(): void {
    for (const link of this.#links.values()) {
      link.lost = undefined;
      for (const { near, far } of link.pairs) {
        near.resume();
        far.resume();
        if (near.closed) far.destroy();
        if (far.closed) near.destroy();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { server, pairs } of this.#links.values()) {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
      await new Promise<void>((done) => server.close(() => done()));
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #link(port: number): Link {
    const link = this.#links.get(port);
    if (link === undefined) throw new Error(`no link to ${port}`);
    return link;
  }
}

function relay(link: Link, near: Socket, port: number): void {
  const far = connect(port, '127.0.0.1');
  const pair = { near, far };
  link.pairs.add(pair);
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.on('data', (bytes) => to.write(bytes));
    from.on('error', () => undefined);
    from.on('close', () => {
      // The end of a connection does not get through a cut link either.
      if (link.lost === undefined) to.destroy();
      if (to.closed) link.pairs.delete(pair);
    });
  }
  if (link.lost !== undefined) stall(pair, link.lost);
}

function stall({ near, far }: Pair, lost: Lost): void {
  far.pause();
  if (lost === 'everything') near.pause();
}
