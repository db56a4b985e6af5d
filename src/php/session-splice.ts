/** Writes a session in which some variables changed, out of the bytes of those that did not. */
import { cannotMove } from './custom-object-slots.js';
import { copiesIn } from './edited-copies.js';
import type { ResolvedPhpLimits } from './php-limits.js';
import type { VariableChange } from './session-document.js';
import { variableHead } from './session-handler.js';
import type { SessionParts, SessionVariable, TextHandler } from './session-reader.js';
import { ValueWriter } from './value-writer.js';

type Entry =
  | { readonly kind: 'kept'; readonly variable: SessionVariable }
  | { readonly kind: 'written'; readonly head: Buffer; readonly value: unknown };

/** The new bytes. Variables keep their places, new ones come last. */
export function spliceSession(
  bytes: Buffer,
  handler: TextHandler,
  parts: SessionParts,
  changes: ReadonlyMap<string, VariableChange>,
  limits: ResolvedPhpLimits,
): Buffer {
  const entries = arrange(bytes, handler, parts, changes);
  const inArray = handler === 'php_serialize';
  const substitutes = parts.tracked
    ? copiesIn(entries.flatMap((entry) => (entry.kind === 'written' ? [entry.value] : [])))
    : new Map<object, object>();
  const writer = new ValueWriter(limits, inArray ? 1 : 0, substitutes);
  if (inArray) {
    writer.writeText(`a:${entries.length}:{`);
    writer.countSlots(1);
    if (parts.self !== undefined) writer.register(parts.self, 1);
  }
  const splicer = new Splicer(bytes, parts, writer, substitutes);
  for (const entry of entries) {
    if (entry.kind === 'kept') {
      splicer.keep(entry.variable);
    } else {
      writer.writeBytes(entry.head);
      writer.write(entry.value);
    }
  }
  if (inArray) writer.writeText('}');
  return writer.toBuffer();
}

function arrange(
  bytes: Buffer,
  handler: TextHandler,
  parts: SessionParts,
  changes: ReadonlyMap<string, VariableChange>,
): Entry[] {
  const entries: Entry[] = [];
  const named = new Set<string>();
  for (const variable of parts.variables) {
    if (typeof variable.name === 'object') {
      entries.push({ kind: 'kept', variable });
      continue;
    }
    const key = String(variable.name);
    if (named.has(key)) continue;
    named.add(key);
    const change = changes.get(key);
    if (change === undefined) {
      entries.push({ kind: 'kept', variable: parts.byName.get(key) ?? variable });
    } else if (change.kind === 'set') {
      const head = bytes.subarray(variable.headStart, variable.start);
      entries.push({ kind: 'written', head, value: change.value });
    }
  }
  for (const [key, change] of changes) {
    if (named.has(key) || change.kind === 'delete') continue;
    entries.push({ kind: 'written', head: variableHead(key, handler), value: change.value });
  }
  return entries;
}

/** Copies variables and keeps their references pointing at what they pointed at. */
class Splicer {
  readonly #bytes: Buffer;
  readonly #parts: SessionParts;
  readonly #writer: ValueWriter;
  /** The new numbers of the slots that were copied. */
  readonly #moved = new Map<number, number>();

  readonly #substitutes: ReadonlyMap<object, object>;

  constructor(
    bytes: Buffer,
    parts: SessionParts,
    writer: ValueWriter,
    substitutes: ReadonlyMap<object, object>,
  ) {
    this.#substitutes = substitutes;
    this.#bytes = bytes;
    this.#parts = parts;
    this.#writer = writer;
  }

  keep(variable: SessionVariable): void {
    const writer = this.#writer;
    const firstSlot = writer.slotCount + 1;
    const numbers = this.#renumber(variable, firstSlot);
    if (numbers === undefined) {
      if (variable.references.some(({ fixed }) => fixed)) throw cannotMove();
      writer.writeBytes(this.#bytes.subarray(variable.headStart, variable.start));
      writer.write(variable.value);
      return;
    }
    let from = variable.headStart;
    for (const [index, { start, end, fixed }] of variable.references.entries()) {
      if (fixed) continue;
      writer.writeBytes(this.#bytes.subarray(from, start));
      writer.writeText(String(numbers[index]));
      from = end;
    }
    writer.writeBytes(this.#bytes.subarray(from, variable.end));
    writer.countSlots(variable.slotCount);
    if (!this.#parts.tracked) return;
    for (let offset = 0; offset < variable.slotCount; offset += 1) {
      const identity = this.#parts.identityAt(variable.firstSlot + offset);
      if (identity === undefined) continue;
      writer.register(identity, firstSlot + offset);
      this.#moved.set(variable.firstSlot + offset, firstSlot + offset);
    }
  }

  /** The new numbers of a variable's references; undefined when the variable cannot be copied. */
  #renumber(variable: SessionVariable, firstSlot: number): number[] | undefined {
    if (!this.#parts.tracked) return [];
    const shift = firstSlot - variable.firstSlot;
    const end = variable.firstSlot + variable.slotCount;
    const handles = new Set(variable.references.map(({ slot }) => slot));
    for (let slot = variable.firstSlot; slot < end; slot += 1) {
      if (handles.has(slot)) continue;
      const identity = this.#parts.identityAt(slot);
      // An edit of a shared object counts at all its places, whichever variable it came with.
      if (typeof identity === 'object' && this.#substitutes.has(identity)) return undefined;
      // What was already written, inside a changed variable, must not be defined a second time.
      if (identity !== undefined && this.#writer.slotOf(identity) !== undefined) return undefined;
    }
    const numbers: number[] = [];
    for (const { target, fixed } of variable.references) {
      const inside = target >= variable.firstSlot && target < end;
      const number = inside ? target + shift : this.#slotNow(target);
      if (number === undefined || (fixed && number !== target)) return undefined;
      numbers.push(number);
    }
    return numbers;
  }

  #slotNow(target: number): number | undefined {
    const moved = this.#moved.get(target);
    if (moved !== undefined) return moved;
    const identity = this.#parts.identityAt(target);
    return identity === undefined ? undefined : this.#writer.slotOf(identity);
  }
}
