/** Tells processes apart for good: process ids are used again, and mean nothing in another container. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** One process of one boot of one machine (or container). */
export interface ProcessIdentity {
  /** Its id. */
  readonly pid: number;
  /** When it started, in the kernel's own ticks; empty where that cannot be read. */
  readonly startedAt: string;
  /** The boot and the process namespace that `pid` means something in. */
  readonly place: string;
}

/** The identity of this process. */
export function ownIdentity(): ProcessIdentity {
  return { pid: process.pid, startedAt: startTicks(process.pid) ?? '', place: ownPlace() };
}

/** Reads what `JSON.stringify` made of an identity. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { pid, startedAt, place } = value as Partial<Record<keyof ProcessIdentity, unknown>>;
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 0) return undefined;
  if (typeof startedAt !== 'string' || typeof place !== 'string') return undefined;
  return { pid, startedAt, place };
}

/** Whether that very process still runs; `unknown` when it is not of this machine. */
export function isAlive(identity: ProcessIdentity): 'yes' | 'no' | 'unknown' {
  if (identity.place !== ownPlace()) return 'unknown';
  const ticks = startTicks(identity.pid);
  if (ticks !== undefined && identity.startedAt !== '') return ticks === identity.startedAt ? 'yes' : 'no';
  try {
    process.kill(identity.pid, 0);
    return 'yes';
  } catch (error) {
    // Not being allowed to signal it also means that it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'yes' : 'no';
  }
}

function ownPlace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

function startTicks(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything; the 22nd is the start.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A process that ended and was not waited for yet holds nothing any more.
    return fields[0] === 'Z' ? 'ended' : fields[19];
  } catch {
    return undefined;
  }
}
