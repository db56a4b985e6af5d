/** Names of the `diagnostics_channel` channels and the payloads on them; nothing is built unless somebody listens. */
import { type Channel, channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';

/** Payload types by channel name (without the `stormlamp:` prefix). */
export interface DiagnosticsPayloads {
  /** A statement was given a node. */
  readonly route: {
    readonly sql: string;
    readonly kind: string;
    readonly node: string;
    readonly role: string;
    readonly because: string;
  };
  /** The picture of the cluster changed. */
  readonly topology: { readonly before: unknown; readonly after: unknown };
  /** A breaker changed its phase. */
  readonly breaker: {
    readonly node: string;
    readonly operation: string;
    readonly before: unknown;
    readonly after: unknown;
  };
  /** A session was loaded, saved or destroyed. */
  readonly session: {
    readonly operation: string;
    readonly node: string | undefined;
    readonly detail: string;
  };
}

/** The name of a channel without its prefix. */
export type DiagnosticsName = keyof DiagnosticsPayloads;

const channels: Record<DiagnosticsName, Channel> = {
  route: channel('stormlamp:route'),
  topology: channel('stormlamp:topology'),
  breaker: channel('stormlamp:breaker'),
  session: channel('stormlamp:session'),
};

/** Whether anybody listens to a channel; free to ask. */
export function isObserved(name: DiagnosticsName): boolean {
  return channels[name].hasSubscribers;
}

/** Publishes on a channel; `build` runs only if somebody listens. */
export function publish<K extends DiagnosticsName>(name: K, build: () => DiagnosticsPayloads[K]): void {
  if (channels[name].hasSubscribers) channels[name].publish(build());
}

// NODE_DEBUG=stormlamp prints what passes on the channels, at no cost to the code that publishes.
const debug = debuglog('stormlamp');
if (debug.enabled) {
  for (const [name, subject] of Object.entries(channels))
    subject.subscribe((payload) => debug('%s %j', name, payload));
}
