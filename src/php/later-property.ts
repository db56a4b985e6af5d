/**
 * Properties that get their value when they are first looked at.
 *
 * Every object could have getters of its own; but then the engine would make a new shape of each, which is most of the work and
 * lasting garbage. So all objects share one getter for each name, which finds out by the object whom to ask.
 */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Who gives and takes the values of an object. */
export interface LaterValues {
  /** The value of a property that is looked at. */
  first(key: string): unknown;
  /** Takes note of a value that is put in the place of one that nobody has looked at. */
  replaced(key: string, value: unknown): void;
}

/** Where an object says who gives its values: what inherits from it, or stands for it as a proxy does, says the same. */
const SOURCE: unique symbol = Symbol('source of values');

interface Labelled {
  readonly [SOURCE]?: LaterValues;
}

function sourceOf(object: unknown): LaterValues {
  const source = (object as Labelled | null | undefined)?.[SOURCE];
  if (source !== undefined) return source;
  throw new StormlampError(
    ErrorCode.UNSUPPORTED,
    'The getter of a session variable was put on another object; copy the value instead of the property',
  );
}

type Accessor = Required<Pick<PropertyDescriptor, 'get' | 'set' | 'enumerable' | 'configurable'>>;

/** Names come from data, so they are not kept without a bound. */
const KEPT = 1_000;
const accessors = new Map<string, Accessor>();

function accessorOf(key: string): Accessor {
  const known = accessors.get(key);
  if (known !== undefined) return known;
  const accessor: Accessor = {
    get(this: unknown) {
      return sourceOf(this).first(key);
    },
    set(this: unknown, value: unknown) {
      sourceOf(this).replaced(key, value);
    },
    enumerable: true,
    configurable: true,
  };
  if (accessors.size < KEPT) accessors.set(key, accessor);
  return accessor;
}

/** Lets `values` give and take those properties of `object` that are defined by {@link defineLater}. */
export function label(object: object, values: LaterValues): void {
  Object.defineProperty(object, SOURCE, { value: values, configurable: true });
}

/** Defines a property of a labelled object; the getter, to know it again. */
export function defineLater(object: object, key: string): () => unknown {
  const accessor = accessorOf(key);
  Object.defineProperty(object, key, accessor);
  return accessor.get;
}
