/**
 * A Docker engine as far as testcontainers asks it, whose containers are processes of this machine: containers that share the
 * machine's network and its folders are little else. What their images would bring is found on a `PATH` of their own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';

/** How a container was asked for. */
export interface AskedContainer {
  readonly Image: string;
  readonly User?: string;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Env?: readonly string[];
  readonly HostConfig: { readonly NetworkMode?: string; readonly Binds?: readonly string[] };
}

interface Container {
  readonly asked: AskedContainer;
  child?: ChildProcess;
  ended?: Promise<number>;
  code?: number;
}

/** Ends for the engine as a shell tells it. */
const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** See the head of this file. */
export class ProcessEngine {
  /** All containers that were asked for, in their order. */
  readonly asked: AskedContainer[] = [];
  /** What there are: name and tag, with the environment that they tell. */
  readonly images: Map<string, readonly string[]>;
  /** What was pulled. */
  readonly pulled: string[] = [];
  /** Requests that nobody here can answer. */
  readonly unknown: string[] = [];
  readonly #containers = new Map<string, Container>();
  readonly #path: string;
  readonly #server: Server;

  /** Listens on a socket in `folder`; `path` is the folder with the programs of all images. */
  static async start(
    folder: string,
    path: string,
    images: Readonly<Record<string, readonly string[]>>,
  ): Promise<{ readonly engine: ProcessEngine; readonly host: string }> {
    const engine = new ProcessEngine(path, images);
    const socket = join(folder, 'docker.sock');
    engine.#server.listen(socket);
    await once(engine.#server, 'listening');
    return { engine, host: `unix://${socket}` };
  }

  private constructor(path: string, images: Readonly<Record<string, readonly string[]>>) {
    this.#path = path;
    this.images = new Map(Object.entries(images));
    this.#server = createServer((request, response) => {
      void this.#answer(request, response).catch((error: Error) => {
        response.writeHead(500).end(JSON.stringify({ message: error.message }));
      });
    });
  }

  /** Containers that were not removed. */
  get left(): readonly string[] {
    return [...this.#containers.values()].map(({ asked }) => asked.Cmd.join(' '));
  }

  close(): void {
    for (const { child } of this.#containers.values()) child?.kill('SIGKILL');
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://engine');
    const body = await bodyOf(request);
    const [, kind = '', name = '', action = ''] =
      /^\/(\w+)(?:\/(.+?))?(?:\/(json|start|wait|stop|kill|pause|unpause))?$/.exec(url.pathname) ?? [];
    const reply = (status: number, answer?: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(answer === undefined ? undefined : JSON.stringify(answer));
    };
    const asked = `${request.method} ${kind} ${action}`.trim();
    const container = this.#containers.get(name);
    if (asked === 'GET info')
      reply(200, { OperatingSystem: 'made up', ServerVersion: '28.0.0', OSType: 'linux' });
    else if (asked === 'GET containers' && name === 'json') reply(200, []);
    else if (asked === 'GET images json') {
      const image = decodeURIComponent(name);
      const Env = this.images.get(image);
      if (Env === undefined) reply(404, { message: `No such image: ${image}` });
      else reply(200, { Id: image, Config: { Env } });
    } else if (asked === 'POST images' && name === 'create') {
      this.pulled.push(`${url.searchParams.get('fromImage')}:${url.searchParams.get('tag')}`);
      reply(200, { status: 'Pull complete' });
    } else if (asked === 'POST build') {
      this.images.set(url.searchParams.get('t') ?? '', ['PHP_VERSION=8.2']);
      reply(200, { stream: 'Successfully built' });
    } else if (asked === 'POST containers' && name === 'create') {
      const Id = `c${this.#containers.size + this.asked.length}`;
      this.asked.push(JSON.parse(body) as AskedContainer);
      this.#containers.set(Id, { asked: JSON.parse(body) as AskedContainer });
      reply(201, { Id, Warnings: [] });
    } else if (container === undefined) {
      if (kind !== 'containers') this.unknown.push(`${request.method} ${url.pathname}`);
      reply(404, { message: `no answer to ${request.method} ${url.pathname}` });
    } else if (asked === 'POST containers start') {
      this.#start(container);
      reply(204);
    } else if (asked === 'GET containers json') reply(200, inspected(name, container));
    else if (asked === 'POST containers wait') reply(200, { StatusCode: await container.ended });
    else if (asked === 'DELETE containers') {
      this.#containers.delete(name);
      reply(204);
    } else if (container.code !== undefined)
      reply(asked.endsWith('stop') ? 304 : 409, { message: 'it does not run' });
    else if (asked === 'POST containers pause' || asked === 'POST containers unpause') {
      signal(container, action === 'pause' ? 'SIGSTOP' : 'SIGCONT');
      reply(204);
    } else if (asked === 'POST containers kill') {
      signal(container, url.searchParams.get('signal') as NodeJS.Signals);
      reply(204);
    } else if (asked === 'POST containers stop') {
      signal(container, 'SIGTERM');
      const limit = setTimeout(() => signal(container, 'SIGKILL'), 1_000 * Number(url.searchParams.get('t')));
      await container.ended;
      clearTimeout(limit);
      reply(204);
    } else {
      this.unknown.push(`${request.method} ${url.pathname}`);
      reply(404, { message: 'unknown' });
    }
  }

  #start(container: Container): void {
    const { Entrypoint, Cmd, WorkingDir, Env = [] } = container.asked;
    // The folder for temporary files is a container's own.
    const words = Cmd.map((word) => word.replace(/^--socket=\/tmp\//, `--socket=${WorkingDir}/`));
    const [command = '', ...args] = [...Entrypoint, ...words];
    const child = spawn(command, args, {
      cwd: WorkingDir,
      stdio: 'ignore',
      // As in a container, whose first process takes all others along.
      detached: true,
      env: {
        PATH: `${this.#path}:/usr/sbin:/usr/bin:/sbin:/bin`,
        ...Object.fromEntries(
          Env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
        ),
      },
    });
    container.child = child;
    container.ended = new Promise((resolve) => {
      child.once('error', () => {
        container.code = 127;
        resolve(127);
      });
      child.once('close', (code, by) => {
        container.code = code ?? 128 + (SIGNALS[by ?? ''] ?? 0);
        if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
        resolve(container.code);
      });
    });
  }
}

function signal({ child }: Container, name: NodeJS.Signals): void {
  if (child?.pid === undefined) return;
  // The engine freezes all processes of a container, and signals its first one.
  if (name === 'SIGSTOP' || name === 'SIGCONT') signalGroup(child.pid, name);
  else child.kill(name);
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // Nobody of it is left.
  }
}

function inspected(Id: string, { asked, code }: Container): unknown {
  return {
    Id,
    Name: `/${Id}`,
    Config: { Hostname: 'here', Labels: {} },
    HostConfig: { PortBindings: {} },
    State: {
      Status: code === undefined ? 'running' : 'exited',
      Running: code === undefined,
      StartedAt: '2026-01-01T00:00:00Z',
      FinishedAt: '0001-01-01T00:00:00Z',
    },
    NetworkSettings: {
      Ports: {},
      Networks: { [asked.HostConfig.NetworkMode ?? '']: { NetworkID: 'n', IPAddress: '' } },
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
