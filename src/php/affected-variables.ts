/** Finds the variables that an edit is in, however many of them share what was edited. */
import { hasUntouchedProperties, isUntouched, type SharedComparison } from './natural-comparison.js';
import type { NaturalScope } from './natural-scope.js';
import { PhpObject } from './php-object.js';
import { PhpReference } from './php-reference.js';

/** A variable, or an object or reference that several places may share. */
interface Node {
  readonly kind: 'variable' | 'shared';
  /** What it is now, and what it was decoded to. */
  readonly now: unknown;
  readonly before: unknown;
  edited: boolean;
  /** What it stands in. */
  readonly holders: Node[];
}

/**
 * The variables whose natural form `now` may differ from what was decoded, because something in them was edited, added or
 * removed, or an object or reference that they share with others. Everything is looked at once, so that this takes as long as
 * the session is large.
 */
export function affectedVariables(
  variables: Iterable<readonly [name: string, now: unknown, before: unknown]>,
  scope: NaturalScope,
): Set<string> {
  const shared = new Map<object, Node>();
  const pending: Node[] = [];
  const roots = new Map<string, Node>();
  const edited: Node[] = [];
  const mark = (node: Node): void => {
    if (node.edited) return;
    node.edited = true;
    edited.push(node);
  };
  const newNode = (kind: Node['kind'], now: unknown, before: unknown): Node => {
    const node: Node = { kind, now, before, edited: false, holders: [] };
    pending.push(node);
    return node;
  };
  for (const [name, now, before] of variables) roots.set(name, newNode('variable', now, before));
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const holder = node;
    const share: SharedComparison = (before, now) => {
      let known = shared.get(before);
      if (known === undefined) {
        const kept: Map<object, unknown> | WeakMap<object, unknown> =
          before instanceof PhpReference ? scope.references : scope.objects;
        known = newNode('shared', kept.get(before), before);
        shared.set(before, known);
        if (!kept.has(before)) mark(known);
      }
      known.holders.push(holder);
      if (Object.is(now, known.now)) return true;
      // What the places share is another value now.
      if (before instanceof PhpReference) mark(known);
      return false;
    };
    if (!isClean(node, share)) mark(node);
  }
  for (let node = edited.pop(); node !== undefined; node = edited.pop())
    for (const holder of node.holders) mark(holder);
  return new Set([...roots].flatMap(([name, node]) => (node.edited ? [name] : [])));
}

function isClean({ kind, now, before }: Node, share: SharedComparison): boolean {
  if (kind === 'variable') return isUntouched(now, before, share);
  if (before instanceof PhpObject) return hasUntouchedProperties(now, before, share);
  return isUntouched(now, (before as PhpReference).value, share);
}
