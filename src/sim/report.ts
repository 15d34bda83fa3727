/** The figures of a run. Times in ms; those of peers count from their own arrival. */
import { contributes, counts, isDone, isPresent, type Member, traitsOf } from './member.ts'
import type { MessageKind } from './messages.ts'
import { sizeOf } from './scenario.ts'
import type { Simulation } from './simulation.ts'

interface PeerFigures {
  readonly peer: string
  readonly conduct: string
  readonly joinedAt: number
  readonly took: number | undefined
  /** `took` over what its downlink and an equal share of all uplinks would have allowed. */
  readonly overShare: number | undefined
  readonly sentBytes: number
  readonly bannedBy: number
}

export interface Report {
  readonly scenario: string
  readonly seed: number
  /** D: the fluid bound. */
  readonly bound: number
  /** T: from the first arrival to the last completion. Undefined when somebody who stayed did not complete. */
  readonly total: number | undefined
  /** D / T; 0 when somebody did not complete. */
  readonly efficiency: number
  readonly completed: number
  /** Those who should have completed, and those who left before. */
  readonly expected: number
  readonly left: number
  /** Pieces that nobody who is still there has. */
  readonly extinct: number
  /** NaN when nobody completed, like the other medians. */
  readonly medianTook: number
  /** Medians of those who send and of free riders. */
  readonly contributorsTook: number
  readonly ridersTook: number | undefined
  readonly medianOverShare: number
  readonly worstOverShare: number
  /** What the seeder sent, in copies of the whole. */
  readonly seederCopies: number
  /** Parts of the useful bytes. */
  readonly duplicate: number
  readonly corrupt: number
  readonly cut: number
  /** Jain's index over bytes sent per uplink of the leechers who send: 1 when all give alike. */
  readonly fairness: number
  /** Of those who send wrong bytes: banned by somebody. */
  readonly banned: number
  readonly corruptPeers: number
  readonly messages: Readonly<Partial<Record<MessageKind, number>>>
  readonly events: number
  readonly wakeUps: number
  readonly peers: readonly PeerFigures[]
}

export function reportOf(name: string, run: Simulation): Report {
  const { members, tally, bound, seed, scenario } = run
  const size = sizeOf(scenario)
  const leechers = members.filter(counts)
  const done = leechers.filter(({ completedAt }) => completedAt !== undefined)
  const expected = leechers.filter((member) => member.completedAt !== undefined || !isDone(member))
  const total =
    done.length < expected.length ? undefined : Math.max(...done.map((one) => one.completedAt ?? 0))
  const takes = (group: readonly Member[]): number => median(group.map(took))
  const riders = done.filter((member) => !traitsOf(member).sends)
  const over = done.map((member) => overShare(member, size))
  const corrupt = members.filter((member) => !traitsOf(member).genuine)
  return {
    scenario: name,
    seed,
    bound,
    total,
    efficiency: total === undefined ? 0 : bound / total,
    completed: done.length,
    expected: expected.length,
    left: leechers.length - expected.length,
    extinct: extinctIn(run),
    medianTook: takes(done),
    contributorsTook: takes(done.filter((member) => traitsOf(member).sends)),
    ridersTook: riders.length === 0 ? undefined : takes(riders),
    medianOverShare: median(over),
    worstOverShare: over.length === 0 ? Number.NaN : Math.max(...over),
    seederCopies: sum(members.filter(({ seeds }) => seeds).map(sent)) / size,
    duplicate: tally.duplicate / tally.useful,
    corrupt: tally.corrupt / tally.useful,
    cut: tally.cut / tally.useful,
    fairness: jain(
      leechers.filter((member) => traitsOf(member).sends).map((member) => sent(member) / member.group.up),
    ),
    banned: corrupt.filter(({ bannedBy }) => bannedBy.size > 0).length,
    corruptPeers: corrupt.length,
    messages: Object.fromEntries(Object.entries(tally.messages).filter(([, count]) => count > 0)),
    events: tally.events,
    wakeUps: tally.wakeUps,
    peers: members.map((member) => figuresOf(member, size)),
  }
}

function extinctIn({ members, scenario }: Simulation): number {
  const there = members.filter(isPresent).filter((member) => contributes(member))
  let extinct = 0
  for (let piece = 0; piece < scenario.pieces; piece++)
    if (!there.some(({ peer }) => peer.claims(piece))) extinct++
  return extinct
}

function figuresOf(member: Member, size: number): PeerFigures {
  const complete = member.completedAt !== undefined
  return {
    peer: member.key,
    conduct: member.seeds ? 'seeder' : (member.group.conduct ?? 'honest'),
    joinedAt: member.joinsAt,
    took: complete ? took(member) : undefined,
    overShare: complete && counts(member) ? overShare(member, size) : undefined,
    sentBytes: sent(member),
    bannedBy: member.bannedBy.size,
  }
}

const sent = ({ peer }: Member): number => peer?.sentBytes ?? 0

const took = ({ completedAt, joinsAt }: Member): number => (completedAt ?? Number.NaN) - joinsAt

function overShare(member: Member, size: number): number {
  const { atStart, atEnd } = member.share
  const rate = Math.min(member.group.down, ((atEnd - atStart) * 1000) / took(member))
  return took(member) / ((size * 1000) / rate)
}

/** Raj Jain, Dah-Ming Chiu, William Hawe, A quantitative measure of fairness, 1984. */
export function jain(shares: readonly number[]): number {
  const squares = sum(shares.map((share) => share * share))
  return squares === 0 ? 1 : sum(shares) ** 2 / (shares.length * squares)
}

/** The one in the middle, or the mean of the two; NaN of nothing. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  const half = sorted.length / 2
  return ((sorted[Math.ceil(half) - 1] ?? Number.NaN) + (sorted[Math.floor(half)] ?? Number.NaN)) / 2
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)
