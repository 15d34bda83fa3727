/** The cast of a run: everyone who will be there, known from the start, played by a peer while that one is there. */
import type { Prng } from '../core/prng.ts'
import { type PeerKey, peerKey } from '../core/types.ts'
import { fluidBound } from './bound.ts'
import { TRAITS } from './conduct.ts'
import { arrivalTimes, shuffled } from './draws.ts'
import type { Peer } from './peer.ts'
import { type Group, leechersOf, type Scenario, sizeOf } from './scenario.ts'

export interface Member {
  readonly key: PeerKey
  readonly index: number
  readonly seeds: boolean
  readonly group: Group
  /** Ms from the start. */
  readonly joinsAt: number
  peer: Peer | undefined
  completedAt: number | undefined
  leftAt: number | undefined
  /** Those that banned it. */
  readonly bannedBy: Set<PeerKey>
  /** Bytes that an equal part of all uplinks comes to, read at its arrival and at its end. */
  share: { atStart: number; atEnd: number }
}

export type Present = Member & { peer: Peer }

export const isPresent = (member: Member): member is Present =>
  member.peer !== undefined && member.leftAt === undefined

export const traitsOf = ({ group }: Member): (typeof TRAITS)['honest'] => TRAITS[group.conduct ?? 'honest']

/** Whether the run is for this one's sake: it is to get everything, unless it goes. */
export const counts = (member: Member): boolean => !member.seeds && traitsOf(member).counts

/** Whether its uplink is any good to the others. */
export const contributes = (member: Member): boolean => traitsOf(member).sends && traitsOf(member).genuine

export const isDone = (member: Member): boolean =>
  member.completedAt !== undefined || member.leftAt !== undefined

/** The seeder, there from the start, and the leechers of all groups in random order. */
export function castOf(scenario: Scenario, prng: Prng): Member[] {
  const times = arrivalTimes(scenario.arrivals, leechersOf(scenario), prng)
  const each = scenario.leechers.flatMap((group) => Array<Group>(group.count).fill(group))
  const leechers = shuffled(each, prng).map((group, at) => member(at + 1, group, times[at] ?? 0))
  return [{ ...member(0, { count: 1, ...scenario.seeder }, 0), seeds: true }, ...leechers]
}

function member(index: number, group: Group, joinsAt: number): Member {
  return {
    key: peerKey(`p${index}`),
    index,
    seeds: false,
    group,
    joinsAt,
    peer: undefined,
    completedAt: undefined,
    leftAt: undefined,
    bannedBy: new Set(),
    share: { atStart: 0, atEnd: 0 },
  }
}

/** In ms. */
export function boundOf(scenario: Scenario, members: readonly Member[]): number {
  const leechers = members
    .filter(({ seeds }) => !seeds)
    .map((one) => ({
      ...one.group,
      joinsAt: one.joinsAt,
      downloads: counts(one),
      uploads: contributes(one),
    }))
  return fluidBound(sizeOf(scenario), scenario.seeder.up, leechers)
}
