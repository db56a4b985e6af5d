/** Objects of PHP classes as they are in serialized data: a class name and properties, no behaviour. */
import { OrderedMap, type PhpKey } from './ordered-map.js';

/** A class name: text, or a Buffer when its bytes are not UTF-8. */
export type PhpClassName = string | Buffer;

/** How PHP code may reach a property. */
export type PhpVisibility = 'public' | 'protected' | 'private';

/**
 * An object of a PHP class. The same PhpObject at two places is one object in PHP, too (`r:` in the bytes).
 *
 * `properties` holds the names as PHP stores them: `name` when public, `\0*\0name` when protected, `\0Class\0name`
 * when private. {@link PhpObject.get} and {@link PhpObject.set} take the bare name.
 */
export class PhpObject {
  /** The class, with its namespace and without a leading backslash. */
  readonly className: PhpClassName;
  /** The properties in their order, under their stored names. Integer and text names are not folded together. */
  readonly properties: OrderedMap;

  /** Makes an object of class `className`; `properties` are entries or a plain object of public ones. */
  constructor(
    className: PhpClassName,
    properties: Iterable<readonly [PhpKey, unknown]> | Readonly<Record<string, unknown>> = [],
  ) {
    this.className = className;
    const entries = Symbol.iterator in properties ? properties : Object.entries(properties);
    this.properties = new OrderedMap(entries as Iterable<readonly [PhpKey, unknown]>);
  }

  /** The value of the property called `name`, whatever its visibility. */
  get(name: string): unknown {
    const key = this.#find(name);
    return key === undefined ? undefined : this.properties.get(key);
  }

  /** Changes the property called `name`, keeping its visibility, or adds a public one. */
  set(name: string, value: unknown): this {
    this.properties.set(this.#find(name) ?? name, value);
    return this;
  }

  /** Whether there is a property called `name`. */
  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  /** The visibility of the property called `name`, undefined when there is none. */
  visibility(name: string): PhpVisibility | undefined {
    const key = this.#find(name);
    if (key === undefined) return undefined;
    if (typeof key !== 'string' || !key.startsWith('\0')) return 'public';
    return key.startsWith('\0*\0') ? 'protected' : 'private';
  }

  /** Class and properties by their bare names, for `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    return Object.fromEntries(Array.from(this.properties, ([key, value]) => [bareName(String(key)), value]));
  }

  #find(name: string): PhpKey | undefined {
    if (this.properties.has(name)) return name;
    for (const candidate of [`\0*\0${name}`, `\0${String(this.className)}\0${name}`]) {
      if (this.properties.has(candidate)) return candidate;
    }
    // A private property of a parent class carries that class's name.
    for (const key of this.properties.keys()) {
      if (typeof key === 'string' && key.startsWith('\0') && bareName(key) === name) return key;
    }
    return undefined;
  }
}

/** An object that its class serialized in a format of its own (`C:`); its bytes are opaque. */
export class PhpCustomObject {
  /** The class, with its namespace and without a leading backslash. */
  readonly className: PhpClassName;
  /** What the class wrote. */
  readonly data: Buffer;

  /** Makes an opaque object of class `className`. */
  constructor(className: PhpClassName, data: Buffer) {
    this.className = className;
    this.data = data;
  }
}

/** A case of a PHP enum (`E:`). PHP has one object per case, whatever the number of places it is at. */
export class PhpEnum {
  /** The enum, with its namespace and without a leading backslash. */
  readonly className: PhpClassName;
  /** The case. */
  readonly caseName: string;

  /** Makes the case `caseName` of the enum `className`. */
  constructor(className: PhpClassName, caseName: string) {
    this.className = className;
    this.caseName = caseName;
  }
}

function bareName(key: string): string {
  return key.startsWith('\0') ? key.slice(key.indexOf('\0', 1) + 1) : key;
}
