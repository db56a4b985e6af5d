/**
 * Properties that get their value when they are first looked at.
 *
 * Every object could have getters of its own; but then the engine would make a new shape of each, which is most of the work and
 * lasting garbage. So all objects share one getter for each name, which finds out by the object whom to ask.
 */
import { inspect } from 'node:util';
import { ErrorCode, StormlampError } from '../common/stormlamp-error.js';

/**
 * Where an object says who gives its values: what inherits from it, or stands for it as a proxy does, says the same. It is writable
 * so that an object that was frozen can be told from one that was sealed, as getters alone could not.
 */
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
    get(this: object) {
      return sourceOf(this).first(this, key);
    },
    set(this: object, value: unknown) {
      sourceOf(this).assign(this, key, value);
    },
    enumerable: true,
    configurable: true,
  };
  if (accessors.size < KEPT) accessors.set(key, accessor);
  return accessor;
}

/** `console.log` shows the values, and not how they are got. */
function shown(this: object): object {
  return { ...this };
}

/** From so many on, each look would copy the shape of the object that it changes. */
const MANY = 16;

/** Lets an object be a dictionary, which has no shape: V8 makes it one when a property is deleted that is not the last. */
function makeDictionary(object: object): void {
  const [one, two] = [Symbol('one'), Symbol('two')];
  for (const key of [one, two]) Object.defineProperty(object, key, { value: 0, configurable: true });
  for (const key of [one, two]) Reflect.deleteProperty(object, key);
}

/** The properties of one object that get their values later. But for their descriptors they are as any others. */
export class LaterProperties {
  readonly #object: object;
  readonly #read: (key: string) => unknown;
  /** The getters of those that nobody has looked at. */
  readonly #unseen = new Map<string, () => unknown>();
  /** What the getters gave: to whoever holds an object that cannot lose them they have to give it again. */
  #given: Map<string, unknown> | undefined;
  /** What was assigned to properties that could not lose their getters. */
  #assigned: Map<string, unknown> | undefined;

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
    if (this.#unseen.size === 0) {
      Object.defineProperty(this.#object, SOURCE, { value: this, writable: true, configurable: true });
      if (!(inspect.custom in this.#object))
        Object.defineProperty(this.#object, inspect.custom, {
          value: shown,
          writable: true,
          configurable: true,
        });
    }
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
  first(receiver: object, key: string): unknown {
    // A copy that was made before is not sealed.
    if (this.#assigned?.has(key) === true && !isConfigurable(receiver, key)) return this.#assigned.get(key);
    if (this.#given?.has(key) === true) return this.#given.get(key);
    const value = this.#read(key);
    this.#given ??= new Map();
    this.#given.set(key, value);
    const unseen = this.isUnseen(key);
    this.#unseen.delete(key);
    if (unseen && isConfigurable(this.#object, key)) setValue(this.#object, key, value);
    return value;
  }

  /**
   * `receiver.key = value`, as it is with plain properties: what inherits from the object, or is a copy of it, gets a property of its own.
   *
   * @throws TypeError where the object, or what inherits from it, cannot be changed
   */
  assign(receiver: object, key: string, value: unknown): void {
    const holder = Object.hasOwn(receiver, SOURCE) ? receiver : this.#object;
    if (Object.getOwnPropertyDescriptor(holder, SOURCE)?.writable === false)
      throw new TypeError(`Cannot assign to read only property '${key}' of object '#<Object>'`);
    if (!Object.hasOwn(receiver, key) || isConfigurable(receiver, key)) {
      setValue(receiver, key, value);
      return;
    }
    this.#unseen.delete(key);
    this.#assigned ??= new Map();
    this.#assigned.set(key, value);
  }
}

function isConfigurable(object: object, key: string): boolean {
  return Object.getOwnPropertyDescriptor(object, key)?.configurable === true;
}

function setValue(object: object, key: string, value: unknown): void {
  const enumerable = Object.getOwnPropertyDescriptor(object, key)?.enumerable ?? true;
  Object.defineProperty(object, key, { value, writable: true, enumerable, configurable: true });
}
