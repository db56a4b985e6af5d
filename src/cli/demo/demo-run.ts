/** One run of the demo: starts everything, plays the story, shows it live, and stops everything. */

import { systemClock } from '../../common/clock.js';
import { describeError } from '../../common/stormlamp-error.js';
import { type Cluster, createCluster } from '../../create-cluster.js';
import { type LocalCluster, startLocalCluster } from '../../testing/index.js';
import type { LocalDriver } from '../../testing/local-cluster-options.js';
import type { CommandContext } from '../command.js';
import { paintFor } from '../paint.js';
import { ProgressPrinter } from '../progress-printer.js';
import { wait } from '../wait.js';
import { DemoPictures } from './demo-pictures.js';
import { DEMO_MAX_LAG_MS, DEMO_STEPS, type DemoStep, type StepOutcome, serversAnswer } from './demo-story.js';
import { DemoScreen, renderDemo, type StepLine } from './demo-view.js';
import { type NodeSite, startNodeSite } from './node-site.js';
import { PHP_SITE } from './php-site.js';
import { ShopClient } from './shop-client.js';

/** What the demo is told. */
export interface DemoSettings {
  /** The kind of database. */
  readonly flavor: 'mariadb' | 'mysql';
  /** What the servers are. */
  readonly driver: LocalDriver;
  /** Port of the shop; 0 for a free one. */
  readonly port: number;
  /** Whether it ends after the story. */
  readonly once: boolean;
}

/** One step in the JSON document. */
export interface StepResult {
  /** The step's stable name. */
  readonly name: string;
  /** Whether the real state was what it should be. */
  readonly verified: boolean;
  /** How long it took, in milliseconds. */
  readonly ms: number;
  /** Names of the nodes that took part. */
  readonly nodes: readonly string[];
  /** What was found, in words. */
  readonly detail: string;
}

const REDRAW_MS = 250;

/** Everything that one run has started. */
export class DemoRun {
  readonly #context: CommandContext;
  readonly #settings: DemoSettings;
  readonly #steps: StepLine[];
  readonly #screen = new DemoScreen(process.stderr);
  #servers: LocalCluster | undefined;
  #cluster: Cluster | undefined;
  #site: NodeSite | undefined;
  #pictures: DemoPictures | undefined;
  #redraw: NodeJS.Timeout | undefined;
  #footer = '';

  /** Makes a run that has started nothing. */
  constructor(context: CommandContext, settings: DemoSettings) {
    this.#context = context;
    this.#settings = settings;
    this.#steps = DEMO_STEPS.map(({ title }) => ({ title, state: 'waiting', ms: 0, detail: '' }));
  }

  /** Starts everything and plays the story; the exit code. */
  async play(): Promise<number> {
    const { signal } = this.#context;
    const results: StepResult[] = [];
    const started = systemClock.now();
    const world = await this.#start();
    const { verified, nodes, detail } = await serversAnswer({ ...world, tell: () => undefined });
    const boot = { name: 'servers-start', verified, ms: Math.round(systemClock.now() - started), nodes };
    results.push({ ...boot, detail: `${detail}: ${this.#versions()}` });
    this.#note(`The servers: ${this.#versions()}`);
    this.#note(`The shop is open: ${this.#site?.url}`);
    this.#startDrawing();
    for (const [index, step] of DEMO_STEPS.entries()) {
      signal.throwIfAborted();
      results.push(await this.#play(step, index, world));
    }
    const ok = results.every((result) => result.verified);
    this.#footer = this.#settings.once ? '' : `Open ${this.#site?.url} in a browser. Ctrl-C ends the demo.`;
    this.#draw();
    this.#context.result({ ok, flavor: this.#settings.flavor, url: this.#site?.url, steps: results });
    if (!this.#settings.once) {
      this.#note(this.#footer);
      while (!signal.aborted) await wait(3_600_000, signal);
    }
    return ok ? 0 : 1;
  }

  /** Stops everything that was started. */
  async close(): Promise<void> {
    clearInterval(this.#redraw);
    this.#screen.release();
    this.#pictures?.close();
    await this.#site?.close();
    await this.#cluster?.close();
    await this.#servers?.close();
  }

  async #start(): Promise<{
    servers: LocalCluster;
    cluster: Cluster;
    customer: ShopClient;
    signal: AbortSignal;
  }> {
    const { signal, interactive } = this.#context;
    const printer = new ProgressPrinter(interactive);
    try {
      this.#servers = await startLocalCluster({
        flavor: this.#settings.flavor,
        driver: this.#settings.driver,
        signal,
        // An installation's message says how far it is.
        onProgress: ({ phase, message, install }) =>
          printer.show({ phase: install?.phase ?? phase, message }),
      });
    } finally {
      printer.end();
    }
    const servers = this.#servers;
    await servers.primary.query(
      'CREATE TABLE shop.cart (id INT AUTO_INCREMENT PRIMARY KEY, owner VARCHAR(64) NOT NULL, item VARCHAR(64) NOT NULL)',
    );
    await servers.waitForReplication();
    const options = servers.options();
    this.#cluster = await createCluster({
      ...options,
      mysql: { ...options.mysql, reads: { maxLagMs: DEMO_MAX_LAG_MS } },
    });
    const php = await servers.phpSite(PHP_SITE, { env: { SHOP_DATABASE: this.#phpDatabase(servers) } });
    this.#site = await startNodeSite(this.#cluster, php.url, this.#settings.port);
    this.#pictures = new DemoPictures(servers, this.#cluster);
    return { servers, cluster: this.#cluster, customer: new ShopClient(this.#site.url), signal };
  }

  #phpDatabase(servers: LocalCluster): string {
    const nodes = servers.databases.map(({ host, port }) => ({ host, port }));
    return JSON.stringify({ nodes, ...servers.accounts.app, database: servers.database });
  }

  async #play(
    step: DemoStep,
    index: number,
    world: { servers: LocalCluster; cluster: Cluster; customer: ShopClient; signal: AbortSignal },
  ): Promise<StepResult> {
    const started = systemClock.now();
    const show = (state: StepLine['state'], detail: string): void => {
      this.#steps[index] = { title: step.title, state, ms: systemClock.now() - started, detail };
    };
    const lines = new ProgressPrinter(false);
    const ticking = setInterval(() => show('running', this.#steps[index]?.detail ?? ''), REDRAW_MS);
    show('running', '');
    this.#note(`> ${step.title}`);
    let outcome: StepOutcome;
    try {
      outcome = await step.run({
        ...world,
        tell: (detail) => {
          show('running', detail);
          if (!this.#context.interactive) lines.show({ phase: step.name, message: `  ${detail}` });
        },
      });
    } catch (error) {
      world.signal.throwIfAborted();
      outcome = { verified: false, nodes: [], detail: describeError(error) };
    } finally {
      clearInterval(ticking);
    }
    const ms = Math.round(systemClock.now() - started);
    show(outcome.verified ? 'verified' : 'failed', outcome.detail);
    this.#note(`  ${outcome.verified ? 'verified' : 'FAILED'} (${ms} ms): ${outcome.detail}`);
    return { name: step.name, verified: outcome.verified, ms, nodes: outcome.nodes, detail: outcome.detail };
  }

  #versions(): string {
    const versions = Object.entries(this.#servers?.versions ?? {});
    return versions.map(([name, { version, origin }]) => `${name} ${version} (${origin})`).join(', ');
  }

  /** A line for logs; on a terminal the picture shows the same. */
  #note(line: string): void {
    if (!this.#context.interactive) process.stderr.write(`${line}\n`);
  }

  #startDrawing(): void {
    if (!this.#context.interactive) return;
    this.#redraw = setInterval(() => this.#draw(), REDRAW_MS);
    this.#draw();
  }

  #draw(): void {
    if (!this.#context.interactive || this.#pictures === undefined) return;
    const picture = {
      url: this.#site?.url,
      versions: this.#versions(),
      ...this.#pictures.take(),
      steps: this.#steps,
      footer: this.#footer,
    };
    this.#screen.draw(renderDemo(picture, process.stderr.columns ?? 80, paintFor(process.stderr)));
  }
}
