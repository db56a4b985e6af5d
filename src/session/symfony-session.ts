/** The inside of a Symfony session: attributes, flash messages, metadata and security tokens among PHP's variables. */
import { PhpObject } from '../php/php-object.js';
import { unserialize } from '../php/unserialize.js';
import { type SessionVariables, setVariable } from './session.js';

const ATTRIBUTES = '_sf2_attributes';
const FLASHES = '_symfony_flashes';
const METADATA = '_sf2_meta';

/** A view of the variables that Symfony keeps; what is changed through it is changed in the session. */
export class SymfonySession {
  readonly #variables: SessionVariables;

  /** @internal */
  constructor(variables: SessionVariables) {
    this.#variables = variables;
  }

  /** The attributes, `$session->get()` and `$session->set()` in Symfony, as a plain object to read and change. To look at them makes no session. */
  get attributes(): Record<string, unknown> {
    return this.#bag(this.#variables, ATTRIBUTES);
  }

  /** Adds a message for the next page that shows messages of this type, as `$this->addFlash()` does. */
  addFlash(type: string, message: unknown): void {
    const flashes = this.#bag(this.#variables, FLASHES);
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

  #bag(variables: SessionVariables, name: string): Record<string, unknown> {
    const stored = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (isRecord(stored)) return stored;
    // An empty array of PHP is a list here, and so is one whose keys are 0, 1, 2, …
    const bag: Record<string, unknown> = {};
    if (Array.isArray(stored))
      for (const [key, value] of stored.entries()) setVariable(bag, String(key), value);
    return whenChanged(bag, () => {
      variables[name] = bag;
    });
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

/** A view of `target` that calls `attach` before every change: who only looks makes no session. */
function whenChanged(target: Record<string, unknown>, attach: () => void): Record<string, unknown> {
  return new Proxy(target, {
    defineProperty(_target, name, descriptor) {
      attach();
      return Reflect.defineProperty(target, name, descriptor);
    },
    deleteProperty(_target, name) {
      if (Object.hasOwn(target, name)) attach();
      return Reflect.deleteProperty(target, name);
    },
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
