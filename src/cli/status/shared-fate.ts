/** Finds places of copies that are one and the same, so that what happens to one happens to the other. */
import { lookup } from 'node:dns/promises';
import type { NodeAddress } from '../../common/node-address.js';

/** A memcached node as it was looked at. */
export interface LookedAtNode {
  /** Its name. */
  readonly id: string;
  /** Where it listens. */
  readonly address: NodeAddress;
  /** The marker that it holds, different on every server; undefined for none. */
  readonly marker: string | undefined;
}

/** Groups of names for one memcached server, each of at least two. */
export async function sameServers(nodes: readonly LookedAtNode[]): Promise<readonly (readonly string[])[]> {
  const places = await Promise.all(nodes.map(({ address }) => placesOf(address)));
  return groups(nodes, (one, other) => {
    const [a, b] = [nodes[one], nodes[other]];
    if (a?.marker !== undefined && a.marker === b?.marker) return true;
    return places[one]?.some((place) => places[other]?.includes(place)) === true;
  }).map((group) => group.map((at) => nodes[at]?.id ?? ''));
}

/** Groups of folders on one file system, each of at least two; folders whose device is not known are in none. */
export function sameDevices(
  mounts: readonly { readonly mount: string; readonly device: number | undefined }[],
): readonly (readonly string[])[] {
  return groups(mounts, (one, other) => {
    const device = mounts[one]?.device;
    return device !== undefined && device === mounts[other]?.device;
  }).map((group) => group.map((at) => mounts[at]?.mount ?? ''));
}

/** The places of those that are alike, the first of each group before the others. */
function groups(
  all: readonly unknown[],
  areAlike: (one: number, other: number) => boolean,
): readonly (readonly number[])[] {
  const places = all.map((_, at) => at);
  const isFirst = (at: number): boolean => !places.slice(0, at).some((other) => areAlike(other, at));
  return places
    .filter(isFirst)
    .map((first) => places.filter((at) => at === first || (at > first && areAlike(first, at))))
    .filter((group) => group.length > 1);
}

async function placesOf({ host, port, socketPath }: NodeAddress): Promise<readonly string[]> {
  if (socketPath !== undefined) return [socketPath];
  if (host === undefined) return [];
  // A name that is not known is told elsewhere.
  const found = await lookup(host, { all: true }).catch(() => []);
  return found.map(({ address }) => `${address}:${port}`);
}
