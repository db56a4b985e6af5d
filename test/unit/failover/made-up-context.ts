/** What a plan is made from, of servers that are made up. */
import type { PlanContext } from '../../../src/failover/plan/plan-context.js';
import type { NodeSurvey } from '../../../src/failover/survey/node-survey.js';

/** The context of plans about these servers, each a replica of the host that its channels name. */
export function madeUpContext(surveys: readonly NodeSurvey[], more: Partial<PlanContext> = {}): PlanContext {
  const sources = surveys.flatMap(({ node, channels }) =>
    channels.map(({ sourceHost }) => [node, sourceHost] as const),
  );
  return {
    opId: 'op',
    cluster: 'c',
    actor: 'test',
    epoch: 4,
    epochs: new Map(),
    surveys: new Map(surveys.map((survey) => [survey.node, survey])),
    nodes: surveys.map(({ node }) => node),
    witnesses: [],
    sources: new Map(sources),
    sourceAt: (node) => ({ host: node, port: 3306, user: 'repl', tls: false }),
    wishes: { prefer: [], avoid: [], never: [] },
    isolated: new Set(),
    rules: { voters: 3, leaseMs: 5_000, handoverMs: 200 },
    hooks: new Set(),
    evidence: [],
    ...more,
  };
}
