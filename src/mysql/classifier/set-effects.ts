/** Adds up what the parts of one `SET` do. */
import { answer, target } from './answer.js';
import type {
  AccessMode,
  Classification,
  PinTarget,
  SessionSetting,
  TransactionEffect,
} from './classification.js';

/** The effects of a `SET`, part by part. */
export class SetEffects {
  #writes = false;
  #transaction: TransactionEffect | undefined;
  #access: AccessMode | undefined;
  readonly #pins = new Map<string, PinTarget>();
  readonly #settings = new Set<SessionSetting>();

  /** A part that changes the server. */
  write(): void {
    this.#writes = true;
  }

  /** A part that leaves a user variable. */
  userVariable(): void {
    this.#pins.set('user-variable', target('user-variable'));
  }

  /** A part that leaves a session variable that is not replayed. */
  sessionVariable(): void {
    this.#pins.set('session-variable', target('session-variable'));
  }

  /** A part that leaves a setting that is replayed. */
  setting(setting: SessionSetting): void {
    this.#settings.add(setting);
  }

  /** A part about transactions; autocommit that goes off outlives everything else that one `SET` can say. */
  transaction(effect: TransactionEffect): void {
    if (this.#transaction !== 'autocommit-off' || effect === 'autocommit-on') this.#transaction = effect;
  }

  /** A part that says whether the next transaction may write. */
  nextAccess(access: AccessMode): void {
    this.#access = access;
  }

  /** What all parts together are. */
  toClassification(): Classification {
    const transaction = this.#transaction;
    const pinned = [...this.#pins.values()];
    const settings = [...this.#settings];
    const details = { transaction, pinned, settings, access: this.#access, administers: this.#writes };
    if (this.#writes) return answer('write', 'primary', 'it changes a setting of the server', details);
    if (this.#pins.has('session-variable'))
      return answer(
        'session',
        'primary',
        'it changes a session variable that is not carried to other connections',
        details,
      );
    if (pinned.length > 0)
      return answer('session', 'primary', 'it sets a user variable of its connection', details);
    if (transaction === undefined)
      return answer('session', 'all', 'it changes a setting of the session', details);
    if (settings.length > 0)
      return answer(
        'session',
        'primary',
        'it changes settings of the session and how its transactions work',
        details,
      );
    const because =
      transaction === 'next-transaction'
        ? 'it prepares the next transaction'
        : transaction === 'autocommit-on'
          ? 'it switches autocommit on'
          : 'it switches autocommit off, or to a value that only the server knows';
    return answer('transaction', 'primary', because, details);
  }
}
