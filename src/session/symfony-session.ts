/** The inside of a Symfony session: attributes, flash messages, metadata and security tokens among PHP's variables. */
import { inspect } from 'node:util';
import { PhpObject } from '../php/php-object.js';
import { unserialize } from '../php/unserialize.js';
import { type SessionVariables, setVariable } from './session.js';

const ATTRIBUTES = '_sf2_attributes';
const FLASHES = '_symfony_flashes';
const METADATA = '_sf2_meta';

/** A view of the variables that Symfony keeps; what is changed through it is changed in the session. */
export class SymfonySession {
  readonly #variables: SessionVariables;
  readonly #attributes: Record<string, unknown>;

  /** @internal */
  constructor(variables: SessionVariables) {
    this.#variables = variables;
    this.#attributes = viewOfBag(variables, ATTRIBUTES);
  }

  /**
   * The attributes, `$session->get()` and `$session->set()` in Symfony, as an object to read and change. To look at them makes no
   * session. It always shows the attributes that the session has now, also after a save that brought those of others.
   */
  get attributes(): Record<string, unknown> {
    return this.#attributes;
  }

  /** Adds a message for the next page that shows messages of this type, as `$this->addFlash()` does. */
  addFlash(type: string, message: unknown): void {
    const flashes = viewOfBag(this.#variables, FLASHES);
    const messages = Object.hasOwn(flashes, type) ? flashes[type] : undefined;
    setVariable(flashes, type, [...listOf(messages), message]);
  }

  /** The messages of a type, which are gone then, as with `$flashBag->get()`. */
  takeFlashes(type: string): readonly unknown[] {
    const stored = this.#variables[FLASHES];
    if (!isRecord(stored) || !Object.hasOwn(stored, type)) return [];
    const messages = stored[type];
    delete stored[type];
    return listOf(messages);
  }

  /** When Symfony made the session; undefined when it has not seen it yet. */
  get createdAt(): Date | undefined {
    return this.#date('c');
  }

  /** When Symfony last used the session; undefined when it has not seen it yet. */
  get lastUsedAt(): Date | undefined {
    return this.#date('u');
  }

  /**
   * The security token of a firewall, which Symfony keeps as serialized text inside the session; undefined when nobody is
   * logged in. What is in it depends on Symfony's version and on the application's user class.
   *
   * @throws StormlampError `ERR_PHP_SYNTAX` when the text is no serialized value.
   */
  securityToken(firewall = 'main'): PhpObject | undefined {
    const attributes = this.#variables[ATTRIBUTES];
    const name = `_security_${firewall}`;
    if (!isRecord(attributes) || !Object.hasOwn(attributes, name)) return undefined;
    const text = attributes[name];
    if (typeof text !== 'string' && !Buffer.isBuffer(text)) return undefined;
    const token = unserialize(text);
    return token instanceof PhpObject ? token : undefined;
  }

  #date(name: 'c' | 'u'): Date | undefined {
    const metadata = this.#variables[METADATA];
    const seconds = isRecord(metadata) && Object.hasOwn(metadata, name) ? metadata[name] : undefined;
    return typeof seconds === 'number' ? new Date(seconds * 1000) : undefined;
  }
}

/** Shows what Symfony keeps in a session: `symfonySession(req.session).attributes['cart']`. */
export function symfonySession(variables: SessionVariables): SymfonySession {
  return new SymfonySession(variables);
}

/** A view of whatever bag of this name the session has at the moment. One that is missing comes to be with the first change. */
function viewOfBag(variables: SessionVariables, name: string): Record<string, unknown> {
  const read = (): Record<string, unknown> => {
    const stored = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (isRecord(stored)) return stored;
    const bag: Record<string, unknown> = {};
    // An empty array of PHP is a list here, and so is one whose keys are 0, 1, 2, …
    if (Array.isArray(stored))
      for (const [key, value] of stored.entries()) setVariable(bag, String(key), value);
    return bag;
  };
  const attached = (): Record<string, unknown> => {
    const bag = read();
    if (variables[name] !== bag) variables[name] = bag;
    return bag;
  };
  // Node's `console.log` shows what is behind a proxy.
  const shown = Object.defineProperty({}, inspect.custom, { value: read, configurable: true });
  return new Proxy(shown, {
    get: (_target, key) => Reflect.get(read(), key),
    has: (_target, key) => Reflect.has(read(), key),
    ownKeys: () => Reflect.ownKeys(read()),
    getOwnPropertyDescriptor(_target, key) {
      const property = Reflect.getOwnPropertyDescriptor(read(), key);
      // What cannot be changed may not be promised for an object that is only looked through.
      return property && { ...property, configurable: true };
    },
    defineProperty: (_target, key, descriptor) => Reflect.defineProperty(attached(), key, descriptor),
    deleteProperty: (_target, key) => !Object.hasOwn(read(), key) || Reflect.deleteProperty(attached(), key),
    preventExtensions: () => false,
  });
}

/** The messages of an array of PHP, which has gaps where the application took one out. */
function listOf(messages: unknown): readonly unknown[] {
  return typeof messages === 'object' && messages !== null && !(messages instanceof PhpObject)
    ? Object.values(messages)
    : [];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof PhpObject)
  );
}
