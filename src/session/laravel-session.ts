/** The inside of a Laravel session: who is logged in, the CSRF token, flash data. */
import { createHash } from 'node:crypto';
import { type SessionVariables, setVariable } from './session.js';

const FLASH = '_flash';

/** A view of the variables that Laravel keeps; the application's own are plain properties of the session. */
export class LaravelSession {
  readonly #variables: SessionVariables;

  /** @internal */
  constructor(variables: SessionVariables) {
    this.#variables = variables;
  }

  /** The id of the user who is logged in by the session guard of this name; undefined for a guest. */
  userId(guard = 'web'): number | string | undefined {
    const id = this.#own(loginVariable(guard));
    return typeof id === 'number' || typeof id === 'string' ? id : undefined;
  }

  /** The CSRF token that forms have to bring; undefined before Laravel made one. */
  get token(): string | undefined {
    const token = this.#own('_token');
    return typeof token === 'string' ? token : undefined;
  }

  /**
   * Sets a variable that the next page of Laravel shows and removes, as `$session->flash()` does: Laravel moves the names of
   * what a page flashed from `new` to `old` when that page ends, so for a page of Node they are old at once.
   */
  flash(name: string, value: unknown): void {
    setVariable(this.#variables, name, value);
    const { old, fresh } = this.#flash();
    this.#variables[FLASH] = {
      old: old.includes(name) ? old : [...old, name],
      new: fresh.filter((one) => one !== name),
    };
  }

  #flash(): { readonly old: readonly unknown[]; readonly fresh: readonly unknown[] } {
    const flash = this.#own(FLASH);
    const list = (name: string): readonly unknown[] => {
      const found: unknown =
        typeof flash === 'object' && flash !== null ? Reflect.get(flash, name) : undefined;
      // A list from which Laravel took something has gaps.
      return typeof found === 'object' && found !== null ? Object.values(found) : [];
    };
    return { old: list('old'), fresh: list('new') };
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#variables, name) ? this.#variables[name] : undefined;
  }
}

/** Shows what Laravel keeps in a session: `laravelSession(req.session).userId()`. */
export function laravelSession(variables: SessionVariables): LaravelSession {
  return new LaravelSession(variables);
}

/** Where Laravel's `SessionGuard` keeps the id of its user. */
function loginVariable(guard: string): string {
  return `login_${guard}_${createHash('sha1').update('Illuminate\\Auth\\SessionGuard').digest('hex')}`;
}
