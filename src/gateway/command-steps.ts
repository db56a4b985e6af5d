/** The commands of a request one by one, made when they are asked for. */
import type { GatewayRequest } from './gateway-request.js';
import { type ItemCommand, isRead } from './item-command.js';

/** A request of commands on items. */
export type ItemsRequest = GatewayRequest & { readonly kind: 'items' };

/** One command of a request. */
export interface Step {
  /** Where it is from. */
  readonly request: ItemsRequest;
  /** What is to be done. */
  readonly command: ItemCommand;
  /** Whether it is the request's last one. */
  readonly last: boolean;
}

/** Whether a request changes nothing: all its commands are of a kind. */
export function readsOnly({ commands }: ItemsRequest): boolean {
  for (const command of commands) return isRead(command);
  return false;
}

/** The steps of a request, in their order. */
export function* stepsOf(request: ItemsRequest): Generator<Step> {
  let command: ItemCommand | undefined;
  for (const next of request.commands) {
    if (command !== undefined) yield { request, command, last: false };
    command = next;
  }
  if (command !== undefined) yield { request, command, last: true };
}
