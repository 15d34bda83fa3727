/** Branded primitives: a number or string that means one thing cannot be passed where another is meant. */

declare const brand: unique symbol
type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** Milliseconds on a monotonic clock; only differences carry meaning. */
export type Millis = Brand<number, 'Millis'>

/** A root's canonical text: CIDv1 in base32 (CIDv0 roots are normalised to it). */
export type RootKey = Brand<string, 'RootKey'>

/** A peer's identity as text: a libp2p peer id, or a BitTorrent endpoint. */
export type PeerKey = Brand<string, 'PeerKey'>

/** A block's multihash as a map key; see `blockKey`. */
export type BlockKey = Brand<string, 'BlockKey'>

export const millis = (value: number): Millis => value as Millis
export const rootKey = (value: string): RootKey => value as RootKey
export const peerKey = (value: string): PeerKey => value as PeerKey
