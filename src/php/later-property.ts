/**
 * Properties that get their value when they are first looked at.
 *
 * Every object could have getters of its own; but then the engine would make a new shape of each, which is most of the work and
 * lasting garbage. So all objects share one getter for each name, which finds out by the object whom to ask.
 */
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/** Where an object says who gives its values: what inherits from it, or stands for it as a proxy does, says the same. */
const SOURCE: unique symbol = Symbol('source of values');

interface Labelled {
  readonly [SOURCE]?: LaterProperties;
}

function sourceOf(object: unknown): LaterProperties {
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
      sourceOf(this).replace(key, value);
    },
    enumerable: true,
    configurable: true,
  };
  if (accessors.size < KEPT) accessors.set(key, accessor);
  return accessor;
}

/** From so many on, each look would copy the shape of the object that it changes. */
const MANY = 16;

/** Lets an object be a dictionary, which has no shape: V8 makes it one when a property is deleted that is not the last. */
function makeDictionary(object: object): void {
  const [one, two] = [Symbol('one'), Symbol('two')];
  for (const key of [one, two]) Object.defineProperty(object, key, { value: 0, configurable: true });
  for (const key of [one, two]) Reflect.deleteProperty(object, key);
}

/** The properties of one object that get their values later. */
export class LaterProperties {
  readonly #object: object;
  readonly #read: (key: string) => unknown;
  /** The getters of those that nobody has looked at. */
  readonly #unseen = new Map<string, () => unknown>();
  /** What the getters gave: to whoever holds an object that cannot lose them they have to give it again. */
  #given: Map<string, unknown> | undefined;

  /**
   * @param read the value of a property, asked for once
   * @param count about how many properties the object is to have
   */
  constructor(object: object, read: (key: string) => unknown, count: number) {
    this.#object = object;
    this.#read = read;
    if (count > MANY) makeDictionary(object);
  }

  /** Defines a property. */
  define(key: string): void {
    if (this.#unseen.size === 0)
      Object.defineProperty(this.#object, SOURCE, { value: this, configurable: true });
    const accessor = accessorOf(key);
    Object.defineProperty(this.#object, key, accessor);
    this.#unseen.set(key, accessor.get);
  }

  /** Whether the property is there and nobody has looked at it, let alone changed it. */
  isUnseen(key: string): boolean {
    const getter = this.#unseen.get(key);
    // The property may have been removed and set anew.
    return getter !== undefined && Object.getOwnPropertyDescriptor(this.#object, key)?.get === getter;
  }

  /** Whether this very value is what a look at the property found. */
  gave(key: string, value: unknown): boolean {
    return this.#given?.has(key) === true && Object.is(this.#given.get(key), value);
  }

  /** From now on nothing of the object is changed from here: it is somebody else's. */
  end(): void {
    this.#unseen.clear();
  }

  /** The value of a property that is looked at for the first time, or again where the object was frozen or copied before. */
  first(key: string): unknown {
    if (this.#given?.has(key) === true) return this.#given.get(key);
    const value = this.#read(key);
    this.#given ??= new Map();
    this.#given.set(key, value);
    const unseen = this.isUnseen(key);
    this.#unseen.delete(key);
    if (unseen && Object.getOwnPropertyDescriptor(this.#object, key)?.configurable === true)
      this.replace(key, value);
    return value;
  }

  /** A property gets a value, whether anybody had looked at it or not. */
  replace(key: string, value: unknown): void {
    this.#unseen.delete(key);
    Object.defineProperty(this.#object, key, { value, writable: true, enumerable: true, configurable: true });
  }
}
