/** docs/grafana-dashboard.json: what its panels ask is PromQL, over metrics and labels that there are, in a layout that Grafana keeps. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parser } from '@prometheus-io/lezer-promql';
import { describe, expect, test } from 'vitest';
import { databaseMetrics } from '../../../src/telemetry/database-metrics.js';
import { prometheusMetrics } from '../../../src/telemetry/prometheus/index.js';
import { storeMetrics } from '../../../src/telemetry/store-metrics.js';
import { fakeCluster } from '../../../src/testing/index.js';
import { ROOT } from '../../support/run-node.js';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
  }[];
}
const dashboard = JSON.parse(readFileSync(join(ROOT, 'docs/grafana-dashboard.json'), 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
  readonly annotations: { readonly list: readonly { readonly target: { readonly expr: string } }[] };
};
const { panels } = dashboard;
const expressions = [
  ...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ target }) => target.expr),
];

/** What Grafana puts in before it asks. */
const filled = (expr: string): string =>
  expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$(?:job|source)\b/g, '.*');

/** The nodes of an expression, by their name in the grammar. */
function partsOf(expr: string): ReadonlyMap<string, readonly string[]> {
  const text = filled(expr);
  const parts = new Map<string, string[]>();
  parser.parse(text).iterate({
    enter: ({ name, from, to, type }) => {
      const key = type.isError ? 'error' : name;
      parts.set(key, [...(parts.get(key) ?? []), text.slice(from, to)]);
    },
  });
  return parts;
}
const metricsOf = (expr: string): readonly string[] =>
  partsOf(expr)
    .get('VectorSelector')
    ?.map((selector) => selector.replace(/[{[].*$/s, '')) ?? [];
const labelsOf = (expr: string): readonly string[] => partsOf(expr).get('LabelName') ?? [];

/** The labels of every metric in the table of docs/telemetry.md. */
function documented(): ReadonlyMap<string, readonly string[]> {
  const page = readFileSync(join(ROOT, 'docs/telemetry.md'), 'utf8');
  const labels = new Map<string, readonly string[]>();
  for (const [, names = '', cell = ''] of page.matchAll(/^\| (`stormlamp_[^|]*)\|([^|]*)\|/gm)) {
    const [first = '', ...more] = [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name);
    const whole = (name: string): string =>
      name.startsWith('stormlamp_') ? name : first.replace(/_(up|bytes)$/, '') + name;
    const all = [first, ...more.map(whole)];
    const named = [...cell.matchAll(/`(\w+)`/g)].map(([, label = '']) => label);
    for (const name of all) labels.set(name, named);
  }
  return labels;
}
/** Fields of events that become labels; the page has room for the first two. */
const OF_EVENTS = ['part', 'event', 'node', 'code', 'kind', 'operation', 'kept', 'cause', 'hook', 'why'];
const known = (metric: string): readonly string[] | undefined => {
  const name = metric.replace(/_(?:bucket|count|sum)$/, '');
  if (name === 'stormlamp_events_total') return OF_EVENTS;
  return documented().get(metric) ?? documented().get(name);
};

describe.each(expressions)('%s', (expr) => {
  test('is PromQL', () => {
    expect(partsOf(expr).get('error')).toBeUndefined();
    expect(metricsOf(expr).length).toBeGreaterThan(0);
  });
  test('asks for metrics and labels that there are', () => {
    const labels = new Set(['job', 'instance']);
    for (const metric of metricsOf(expr)) {
      expect(known(metric), metric).toBeDefined();
      for (const label of known(metric) ?? []) labels.add(label);
      if (metric.endsWith('_bucket')) labels.add('le');
    }
    expect(labelsOf(expr).filter((label) => !labels.has(label))).toEqual([]);
  });
});

test('what is not PromQL, or not there, is found out', () => {
  expect(partsOf('sum by (node (stormlamp_node_up)').get('error')).toBeDefined();
  expect(known('stormlamp_node_upp')).toBeUndefined();
  expect(labelsOf('sum by (nodde) (stormlamp_node_up{job=~"$job"})')).toEqual(['nodde', 'job']);
});

test('the labels of the page are those that are told', async () => {
  const fake = await fakeCluster();
  const metrics = prometheusMetrics(fake.cluster);
  await fake.cluster.mysql.query('SELECT 1').catch(() => undefined);
  const told = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of metrics.text().matchAll(/^(\w+)(?:\{(.*)\})? /gm))
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g))
      told.set(name, (told.get(name) ?? new Set()).add(label));
  metrics.close();
  await fake.close();
  expect(told.size).toBeGreaterThan(8);
  for (const [name, labels] of told)
    expect([name, [...labels].filter((label) => label !== 'le').sort()]).toEqual([
      name,
      [...(known(name) ?? [])].sort(),
    ]);
});

test('every metric of nodes and stores is on a panel, or is told why not', () => {
  const shown = new Set(expressions.flatMap(metricsOf));
  const left = [...databaseMetrics, ...storeMetrics]
    .map(({ name }) => name)
    .filter((name) => !shown.has(name));
  // Numbers that are looked up when something is wrong, and of no use as a line.
  expect(left).toEqual(['stormlamp_cache_node_failures_total', 'stormlamp_cache_local_bytes']);
});

test('the panels have ids of their own, a data source, and a place in 24 columns without gaps', () => {
  const ids = panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const variables = dashboard.templating.list.map(({ name }) => name);
  expect(variables[0]).toBe('source');
  const taken = new Map<string, string>();
  for (const { title, type, datasource, gridPos, targets } of panels) {
    expect(['stat', 'timeseries']).toContain(type);
    expect(datasource).toEqual({ type: 'prometheus', uid: `$${'{source}'}` });
    const { x, y, w, h } = gridPos;
    expect(x + w, title).toBeLessThanOrEqual(24);
    expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length);
    for (let column = x; column < x + w; column += 1)
      for (let row = y; row < y + h; row += 1) {
        expect(taken.get(`${column} ${row}`), title).toBeUndefined();
        taken.set(`${column} ${row}`, title);
      }
    for (const { expr, legendFormat } of targets)
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        expect(labelsOf(expr), `${title}: {{${label}}}`).toContain(label);
  }
  // Grafana moves panels up to where there is room: a gap would not stay.
  for (const { title, gridPos } of panels)
    if (gridPos.y > 0) expect(taken.has(`${gridPos.x} ${gridPos.y - 1}`), title).toBe(true);
});
