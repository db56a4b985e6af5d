/**
 * The gateway's items on replicated copies. Every change is decided on one node, the arbiter, and carried to the others before
 * it is answered; what a node misses is noted on those that took it.
 */
import { Deadline } from '../common/deadline.js';
import type { NodeId } from '../common/node-address.js';
import { sameContent } from '../memcached/copies/copy-hash.js';
import { type CopyKey, OWN_PREFIX } from '../memcached/copies/copy-key.js';
import { type Acks, assertAcknowledged, type CopyReport } from '../memcached/copies/copy-report.js';
import type {
  CopyRead,
  CurrentContent,
  RemovalReport,
  ReplicatedCopies,
} from '../memcached/copies/replicated-copies.js';
import type { NewContent } from '../memcached/copies/write-under-way.js';
import type { MemcachedItem } from '../memcached/memcached-node.js';
import { releasedLock, releasedLockOf } from '../session/released-lock.js';
import { acksOf, type ItemKinds, repeatOf } from './change-terms.js';
import { ClientLocks, type TakenLock } from './client-locks.js';
import { type ChangeCommand, changeItem, keepsExpiry } from './item-change.js';
import type { GatewayItems, ItemAnswer, ItemCommand } from './item-command.js';
import { markFlags, markLock, unmarkFlags, unmarkLock } from './lock-mark.js';
import { isVersion, NO_VERSION, nameVersion } from './named-version.js';
import { isOver } from './over-already.js';
import type { RemainingTimes } from './remaining-times.js';
import { UnreadSessions } from './unread-sessions.js';

/** What replicated items are made of. */
export interface ReplicatedItemsOptions extends ItemKinds {
  /** The copies. */
  readonly copies: ReplicatedCopies;
  /** The item of a client's key. */
  readonly itemOf: (key: string) => CopyKey;
  /** How many copies must have taken a change of what is no lock. */
  readonly acks: Acks;
  /** How long items still live. */
  readonly times: RemainingTimes;
  /** How long one command may take, in milliseconds. */
  readonly commandTimeoutMs: number;
  /** Told of copies that a change missed. */
  readonly onMissed: (operation: 'save' | 'touch' | 'destroy', report: CopyReport) => void;
}

const NOT_FOUND: ItemAnswer = Object.freeze({ status: 'not-found' });

/** See the head of this file. */
export class ReplicatedItems implements GatewayItems {
  readonly #options: ReplicatedItemsOptions;
  /** Numbers of nodes, which stay as long as the gateway lives, also when nodes are added or removed. */
  readonly #numbers = new Map<NodeId, number>();
  readonly #locks = new ClientLocks();
  readonly #unread: UnreadSessions;

  /** @param options the copies and how clients' keys map to them */
  constructor(options: ReplicatedItemsOptions) {
    this.#options = options;
    this.#unread = new UnreadSessions(options);
    for (const { id } of options.copies.places.nodes) this.#numberOf(id);
  }

  execute(command: ItemCommand, client: object): Promise<ItemAnswer> {
    // Our own notes are nobody else's to read or write.
    if (command.key.startsWith(OWN_PREFIX)) return Promise.resolve({ status: 'invalid' });
    const key = this.#options.itemOf(command.key);
    const deadline = Deadline.of({ timeoutMs: this.#options.commandTimeoutMs });
    switch (command.op) {
      case 'get':
        return this.#get(key, client, deadline);
      case 'get-and-touch':
        return this.#getAndTouch(key, command.exptime, client, deadline);
      case 'touch':
        return this.#touch(key, command.exptime, client, deadline);
      case 'delete':
        return this.#options.isLock(key.key)
          ? this.#unlock(key, command.cas, client, deadline)
          : this.#delete(key, command.cas, client, deadline);
      case 'store':
        if (!keepsExpiry(command) && isOver(command.exptime))
          return this.#storeOver(key, command, client, deadline);
        return this.#options.isLock(key.key)
          ? this.#lock(key, command, client, deadline)
          : this.#change(key, command, client, deadline).then(answerOf);
      default:
        return this.#change(key, command, client, deadline).then(answerOf);
    }
  }

  hungUp(client: object): void {
    this.#unread.gone(client);
    this.#locks.hungUp(client);
  }

  gone(client: object): void {
    this.hungUp(client);
    this.#locks.gone(client);
  }

  unseen({ key }: ItemCommand, client: object): void {
    if (!key.startsWith(OWN_PREFIX)) this.#unread.asked(client, this.#options.itemOf(key).key);
  }

  async executeReads(
    commands: readonly ItemCommand[],
    client: object,
  ): Promise<readonly PromiseSettledResult<ItemAnswer>[]> {
    const { copies, itemOf, commandTimeoutMs } = this.#options;
    const keys = commands.flatMap(({ key }) => (key.startsWith(OWN_PREFIX) ? [] : [itemOf(key)]));
    for (const { key } of keys) this.#unread.asked(client, key);
    const found = await copies.readMany(keys, Deadline.of({ timeoutMs: commandTimeoutMs }));
    let place = -1;
    return commands.map((command) => {
      if (command.key.startsWith(OWN_PREFIX)) return { status: 'fulfilled', value: { status: 'invalid' } };
      place += 1;
      const key = keys[place] as CopyKey;
      const result = found[place] as PromiseSettledResult<CopyRead>;
      if (result.status === 'fulfilled')
        return { status: 'fulfilled', value: this.#shown(key, client, result.value) };
      this.#unread.asked(client, key.key);
      return result;
    });
  }

  async #get(key: CopyKey, client: object, deadline: Deadline): Promise<ItemAnswer> {
    this.#unread.asked(client, key.key);
    const read = this.#read(key, client, deadline);
    return this.#shown(key, client, await this.#orUnread(key, client, read));
  }

  // What ends with an error shows nothing; another read of it may have been answered meanwhile.
  async #orUnread<T>(key: CopyKey, client: object, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.#unread.asked(client, key.key);
      throw error;
    }
  }

  // PHP reads a session under its lock to write it a moment later: what is seen of every copy now saves the look before that write.
  async #read(key: CopyKey, client: object, deadline: Deadline): Promise<CopyRead> {
    const { copies, isSession } = this.#options;
    if (!this.#locks.holdsAny(client) || !isSession(key.key)) return await copies.read(key, deadline);
    const { read, seen } = await copies.readToChange(key, deadline);
    this.#locks.looked(client, key.key, seen);
    return read;
  }

  #shown(key: CopyKey, client: object, { item, node }: CopyRead): ItemAnswer {
    this.#unread.known(client, key.key);
    if (item === null || this.#isReleased(key, item)) return NOT_FOUND;
    const value = this.#options.isLock(key.key) ? unmarkLock(item.value) : item.value;
    const flags = this.#options.isCountedLock(key.key) ? unmarkFlags(item.flags) : item.flags;
    return { status: 'hit', item: { ...item, value, flags, cas: this.#named(node, item) } };
  }

  async #getAndTouch(key: CopyKey, exptime: number, client: object, deadline: Deadline): Promise<ItemAnswer> {
    const answer = await this.#get(key, client, deadline);
    if (answer.status === 'hit')
      await this.#orUnread(key, client, this.#touch(key, exptime, client, deadline));
    return answer;
  }

  async #touch(key: CopyKey, exptime: number, client: object, deadline: Deadline): Promise<ItemAnswer> {
    if (isOver(exptime)) {
      const answer = await this.execute({ op: 'delete', key: key.key, cas: 0n }, client);
      return answer.status === 'deleted' ? { status: 'touched' } : answer;
    }
    const acks = acksOf(key.key, this.#options.acks, this.#options);
    const report = await this.#options.copies.touch(key, exptime, deadline, acks);
    // Of what is not there nothing is missed.
    if (report.found || report.reached.length === 0) this.#assertTaken('touch', report, acks);
    return { status: report.found ? 'touched' : 'not-found' };
  }

  // What is over at once takes the place of what is there: it is removed, where the command may touch it, and nothing is stored.
  async #storeOver(
    key: CopyKey,
    command: ChangeCommand & { readonly op: 'store' },
    client: object,
    deadline: Deadline,
  ): Promise<ItemAnswer> {
    const { copies } = this.#options;
    const { item, node } = await copies.read(key, deadline);
    const there = this.#isReleased(key, item) ? null : item;
    const same = command.cas !== 0n && item !== null && this.#isVersion(command.cas, node, item);
    const change = changeItem(command, there, same);
    if (change.kind === 'refuse') return change.answer;
    const answer: ItemAnswer = { status: 'stored', cas: NO_VERSION };
    if (there === null) return answer;
    const { cas } = command;
    const removed = await this.execute({ op: 'delete', key: key.key, cas }, client);
    return removed.status === 'deleted' || removed.status === 'not-found' ? answer : removed;
  }

  async #delete(key: CopyKey, cas: bigint, client: object, deadline: Deadline): Promise<ItemAnswer> {
    const { copies } = this.#options;
    const refuse = (node: NodeId, item: MemcachedItem): 'exists' | 'not-found' | undefined => {
      if (this.#isReleased(key, item)) return 'not-found';
      return this.#isVersion(cas, node, item) ? undefined : 'exists';
    };
    const report =
      cas === 0n ? await copies.delete(key, deadline) : await copies.deleteVersion(key, refuse, deadline);
    if (typeof report === 'string') return { status: report };
    this.#assertTaken('destroy', report, acksOf(key.key, this.#options.acks, this.#options));
    this.#unread.known(client, key.key);
    return { status: report.found ? 'deleted' : 'not-found' };
  }

  /**
   * A lock that could not be had for certain is answered as one that somebody else has: php-memcached then waits and asks again,
   * where after an error it would remove the lock, whoever holds it.
   */
  async #lock(
    key: CopyKey,
    given: ChangeCommand & { readonly op: 'store' },
    client: object,
    deadline: Deadline,
  ): Promise<ItemAnswer> {
    const value = markLock(given.value);
    try {
      const { answer, versions, tried } = await this.#change(key, { ...given, value }, client, deadline);
      const lock = { value, exptime: given.exptime };
      const stored = answer.status === 'stored';
      // A client that hung up cannot give it back: PHP asks again over another connection, and would wait for itself.
      const inVain = stored && !this.#locks.isThere(client);
      if (stored && !inVain)
        this.#locks.took(client, key.key, versions === undefined ? lock : { ...lock, versions });
      // Or somebody was faster on one node, and waits for this one.
      else if (tried) void this.#giveBack(key, lock).catch(() => undefined);
      if (inVain) return { status: 'exists' };
      return answer;
    } catch (error) {
      if (given.how !== 'add') throw error;
      // It may be ours all the same, and nobody would give it back.
      void this.#giveBack(key, { value, exptime: given.exptime }).catch(() => undefined);
      return { status: 'exists' };
    }
  }

  #giveBack(
    key: CopyKey,
    { value, exptime, versions }: TakenLock,
    deadline?: Deadline,
  ): Promise<RemovalReport> {
    const { copies, commandTimeoutMs } = this.#options;
    const within = deadline ?? Deadline.of({ timeoutMs: commandTimeoutMs });
    const ours = (item: MemcachedItem): boolean => item.value.equals(value);
    return copies.release(key, ours, releasedLock(exptime), within, versions);
  }

  /**
   * PHP removes its lock by name alone, twice per request, also when another request has it meanwhile. Who took a lock over this
   * connection removes that one, and no other.
   */
  async #unlock(key: CopyKey, cas: bigint, client: object, deadline: Deadline): Promise<ItemAnswer> {
    const lock = this.#locks.gaveBack(client, key.key);
    if (lock === 'not held') return NOT_FOUND;
    if (lock === undefined || cas !== 0n) return await this.#delete(key, cas, client, deadline);
    const report = await this.#giveBack(key, lock, deadline).catch((error: unknown) => {
      this.#locks.took(client, key.key, lock);
      throw error;
    });
    this.#assertTaken('destroy', report, 'one');
    return { status: report.found ? 'deleted' : 'not-found' };
  }

  async #change(key: CopyKey, command: ChangeCommand, client: object, deadline: Deadline): Promise<Changed> {
    if (command.op === 'store' && (command.how === 'set' || command.how === 'replace'))
      this.#unread.assertKnown(client, key.key);
    const counted = this.#options.isCountedLock(key.key);
    const unique = counted || this.#options.isLock(key.key);
    const acks = acksOf(key.key, this.#options.acks, this.#options, command);
    let seen = this.#locks.takeLook(client, key.key);
    let tried = false;
    for (;;) {
      const kept = keepsExpiry(command) ? await this.#expiryOf(key, deadline) : undefined;
      let answer: ItemAnswer | undefined;
      let content: NewContent | undefined;
      const report = await this.#options.copies.change(
        key,
        (current) => {
          // Decided already: a number must not be added twice, nor a lock be refused to who has just got it.
          if (current.ours) return content;
          // Nobody else stores the same lock: it arrived, and only the answer was lost.
          if (unique && content !== undefined && isContent(current.item, content)) return content;
          const item = this.#isReleased(key, current.item) ? null : current.item;
          const change = changeItem(command, item, this.#meets(command, current));
          answer = change.answer;
          content = undefined;
          if (change.kind === 'refuse') return undefined;
          const exptime = change.exptime ?? (isSame(kept, current) ? kept?.exptime : undefined);
          const flags = counted ? markFlags(change.flags) : change.flags;
          tried ||= exptime !== undefined;
          if (exptime !== undefined) content = { value: change.value, flags, exptime };
          // It changed since its expiry was asked for: both are to be looked at again.
          else answer = undefined;
          return content;
        },
        deadline,
        seen,
        repeatOf(command, this.#options),
        acks,
      );
      seen = undefined;
      if (report !== undefined) {
        this.#assertTaken('save', report, acks);
        const { version, versions } = report;
        const cas = version === undefined ? 0n : this.#named(version.node, version);
        // What it replaced as a whole, or found to be missing, it need not read any more.
        if (command.op === 'store' && (command.how === 'add' || command.cas !== 0n))
          this.#unread.known(client, key.key);
        if (answer?.status === 'stored' || answer?.status === 'counted')
          return { answer: { ...answer, cas }, versions, tried };
      }
      if (answer !== undefined) return { answer, versions: undefined, tried };
      deadline.check('Changing the item');
    }
  }

  async #expiryOf(key: CopyKey, deadline: Deadline): Promise<KeptExpiry | undefined> {
    const { item, node } = await this.#options.copies.read(key, deadline);
    if (item === null) return undefined;
    const exptime = await this.#options.times.exptimeOf(node, key.key, deadline);
    return exptime === undefined ? undefined : { node, cas: item.cas, exptime };
  }

  #meets(command: ChangeCommand, { item, node }: CurrentContent): boolean {
    return (
      command.cas !== 0n && item !== null && node !== undefined && this.#isVersion(command.cas, node, item)
    );
  }

  #isReleased(key: CopyKey, item: MemcachedItem | null): boolean {
    return item !== null && this.#options.isLock(key.key) && releasedLockOf(item.value) !== undefined;
  }

  #named(node: NodeId, { cas }: { readonly cas: bigint }): bigint {
    return nameVersion(this.#numberOf(node), cas);
  }

  #isVersion(named: bigint, node: NodeId, { cas }: MemcachedItem): boolean {
    return isVersion(named, this.#numberOf(node), cas);
  }

  #numberOf(node: NodeId): number {
    const number = this.#numbers.get(node) ?? this.#numbers.size;
    this.#numbers.set(node, number);
    return number;
  }

  #assertTaken(operation: 'save' | 'touch' | 'destroy', report: CopyReport, acks: Acks): void {
    const { copies, onMissed } = this.#options;
    if (report.missed.length > 0) onMissed(operation, report);
    assertAcknowledged(report, acks, copies.places.copies);
  }
}

/** What became of a change, and the numbers that the nodes gave to what was stored. */
interface Changed {
  readonly answer: ItemAnswer;
  readonly versions: ReadonlyMap<NodeId, bigint> | undefined;
  /** Whether it was begun to be stored: a node may hold it, whatever the answer is. */
  readonly tried: boolean;
}

function answerOf({ answer }: Changed): ItemAnswer {
  return answer;
}

interface KeptExpiry {
  readonly node: NodeId;
  readonly cas: bigint;
  readonly exptime: number;
}

function isContent(item: MemcachedItem | null, { value, flags = 0 }: NewContent): boolean {
  return item !== null && sameContent(item, { value, flags });
}

function isSame(kept: KeptExpiry | undefined, { item, node }: CurrentContent): boolean {
  return kept !== undefined && item?.cas === kept.cas && node === kept.node;
}
