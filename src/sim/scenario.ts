/** What a run is made of, as data. Rates are bytes a second, times ms. */
import type { Wire } from '../swarm/events.ts'
import type { Conduct } from './conduct.ts'

export const MBIT = 125_000
export const MIB = 1 << 20

/** Leechers that are alike. */
export interface Group {
  readonly count: number
  readonly up: number
  readonly down: number
  /** `honest` unless said. */
  readonly conduct?: Conduct
  /** How pieces move to and from it: `share` unless said. Two of which one is not on `share` use the other's wire. */
  readonly wire?: Wire
  /** It goes as soon as it has everything; otherwise it stays and seeds. */
  readonly leavesWhenComplete?: boolean
}

export type Arrivals =
  | { readonly type: 'together' }
  /** One after the other. */
  | { readonly type: 'every'; readonly ms: number }
  /** At random, so far apart on average. */
  | { readonly type: 'poisson'; readonly ms: number }

export interface Scenario {
  readonly about: string
  readonly pieces: number
  /** Bytes; the last piece is as large as the others. */
  readonly pieceSize: number
  readonly seeder: {
    readonly up: number
    readonly down: number
    readonly wire?: Wire
    /** It goes once it has sent so many times the whole. */
    readonly leavesAtCopies?: number
  }
  readonly leechers: readonly Group[]
  readonly arrivals: Arrivals
  /** How many neighbours a peer has, give or take a fifth; everyone, in a smaller swarm. */
  readonly neighbours: number
  /** One way; drawn for each pair where it is a range. */
  readonly latency: number | { readonly least: number; readonly most: number }
  /** The swarm falls into two random halves that cannot reach each other, for a while. */
  readonly partition?: { readonly from: number; readonly to: number }
  /** Now and then everything on the links of a random leecher, or from one peer to another, stands still. */
  readonly stalls?: { readonly of: 'peer' | 'lane'; readonly every: number; readonly lasts: number }
  /** Now and then a random leecher leaves for good, until so many have. */
  readonly departures?: { readonly every: number; readonly most: number }
  /** Both ends hear of so many bytes of a piece at a time; as many as a message carries, unless said. */
  readonly partBytes?: number
  /** It takes minutes. */
  readonly big?: boolean
}

export const sizeOf = ({ pieces, pieceSize }: Scenario): number => pieces * pieceSize

export const leechersOf = ({ leechers }: Scenario): number =>
  leechers.reduce((count, group) => count + group.count, 0)
