/** How a peer treats the others. Whatever it does, it runs the ordinary scheduler and wants every piece. */
export type Conduct =
  | 'honest'
  /** Tells truly what it has, and sends none of it. */
  | 'free-rider'
  /** Says that it has everything, and sends nothing. */
  | 'liar'
  /** Sends wrong bytes. */
  | 'corrupt'

interface Traits {
  readonly claimsEverything: boolean
  readonly sends: boolean
  readonly genuine: boolean
  /** Whether the swarm owes it a complete download. */
  readonly counts: boolean
}

export const TRAITS: Readonly<Record<Conduct, Traits>> = {
  honest: { claimsEverything: false, sends: true, genuine: true, counts: true },
  'free-rider': { claimsEverything: false, sends: false, genuine: true, counts: true },
  liar: { claimsEverything: true, sends: false, genuine: true, counts: false },
  corrupt: { claimsEverything: false, sends: true, genuine: false, counts: false },
}
