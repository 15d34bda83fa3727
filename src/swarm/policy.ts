/** The scheduler's policies, each of which can be switched off to see what it is worth (`npm run sim -- ablate`). */
export interface Policy {
  /** Uploaders offer; without, `share` nodes pull from each other. */
  readonly offers: boolean
  /** Neighbours are told what is on its way. */
  readonly expect: boolean
  /** The rarest piece first; without, any. */
  readonly rarest: boolean
  /** A seeder offers to the peer that has spread most of what it got. */
  readonly unreplicated: boolean
  /** Sends at once that are always allowed, and when the uplink is not full. */
  readonly sends: Sends
  readonly seederSends: Sends
  /** How far ahead pieces are offered, in round trips. */
  readonly lookAheadRoundTrips: number
  /** A receiver puts off what its downlink cannot take. */
  readonly busy: boolean
  /** An idle uploader sends along with the offer. */
  readonly eager: boolean
  /** The last pieces are split between sources. */
  readonly split: boolean
  /** Those that give nothing come last. */
  readonly reciprocity: boolean
  readonly choker: boolean
  readonly snubbing: boolean
  readonly suggestions: boolean
}

interface Sends {
  readonly always: number
  readonly most: number
}

export const POLICY: Policy = {
  offers: true,
  expect: true,
  rarest: true,
  unreplicated: true,
  sends: { always: 2, most: 4 },
  seederSends: { always: 3, most: 8 },
  lookAheadRoundTrips: 3.5,
  busy: true,
  eager: true,
  split: true,
  reciprocity: true,
  choker: true,
  snubbing: true,
  suggestions: true,
}
