/** What a wire does at one end: actions of the owner's scheduler become messages and shipments, messages become events. */
import type { PeerKey } from '../core/types.ts'
import type { SwarmAction } from '../swarm/events.ts'
import type { Shipment } from './lane.ts'
import type { Message } from './messages.ts'

/** Actions that concern one peer. */
export type PeerAction = Exclude<Extract<SwarmAction, { readonly peer: PeerKey }>, { readonly type: 'ban' }>

export interface Wire {
  act(action: PeerAction): void
  receive(message: Message): void
  /** The last `length` bytes before `shipment.at` have left. */
  left(shipment: Shipment, length: number): void
  /** The owner has a piece now. */
  has(piece: number): void
}

/** The scheduler and the wire do not understand each other: a run that goes on would prove nothing. */
export function refuse(what: string, action: object): never {
  throw new Error(`${what}: ${JSON.stringify(action)}`)
}
