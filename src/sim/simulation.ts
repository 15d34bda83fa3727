/** A run of a scenario: peers come, meet, go, until everyone who stays has everything or time is up. */
import { createPrng, type Prng } from '../core/prng.ts'
import type { PeerKey } from '../core/types.ts'
import type { Policy } from '../swarm/policy.ts'
import { Scheduler } from '../swarm/scheduler.ts'
import { Clock } from './clock.ts'
import { Connection, type End, type Medium } from './connection.ts'
import { disturb } from './disturbances.ts'
import { FairShare } from './fair-share.ts'
import {
  boundOf,
  castOf,
  contributes,
  counts,
  isDone,
  isPresent,
  type Member,
  type Present,
} from './member.ts'
import { Neighbourhood } from './neighbourhood.ts'
import { Network } from './network.ts'
import { type Mind, Peer } from './peer.ts'
import { Post } from './post.ts'
import { type Scenario, sizeOf } from './scenario.ts'
import { Tally } from './tally.ts'

/** Finding others again after a loss takes a while. */
const SEARCH_MS = 1000

/** As `share` nodes do: a message carries so many bytes of a piece. */
const FRAME_BYTES = 64 << 10

/** A run that takes this much longer than fluids, and then some, has hung. */
const PATIENCE = { bounds: 20, ms: 120_000 }

export interface RunOptions {
  /** Of all schedulers, where it is not the usual one. */
  readonly policy?: Policy
  /** Called after every event of every peer. */
  readonly checked?: (scheduler: Scheduler) => void
}

export class Simulation {
  readonly scenario: Scenario
  readonly seed: number
  readonly clock = new Clock()
  readonly tally = new Tally()
  readonly prng: Prng
  readonly members: readonly Member[]
  /** In ms. */
  readonly bound: number
  readonly network = new Network(this.clock)
  /** Which pairs can reach each other; a partition says otherwise for a while. */
  reach: (a: Member, b: Member) => boolean = () => true
  readonly #byKey: ReadonlyMap<PeerKey, Member>
  readonly #medium: Medium
  readonly #options: RunOptions
  readonly #sizes: readonly number[]
  readonly #share = new FairShare()
  readonly #neighbourhood: Neighbourhood<Present>
  readonly #searching = new Set<Member>()
  #unfinished = 0

  constructor(scenario: Scenario, seed: number, options: RunOptions = {}) {
    this.scenario = scenario
    this.seed = seed
    this.#options = options
    this.prng = createPrng(seed)
    this.#sizes = Array<number>(scenario.pieces).fill(scenario.pieceSize)
    this.#medium = {
      partBytes: scenario.partBytes ?? FRAME_BYTES,
      clock: this.clock,
      network: this.network,
      post: new Post(this.clock),
      tally: this.tally,
    }
    this.#neighbourhood = new Neighbourhood(scenario.neighbours, this.prng, (member) => member.peer.ends.size)
    this.members = castOf(scenario, this.prng)
    this.#byKey = new Map(this.members.map((member) => [member.key, member]))
    this.bound = boundOf(scenario, this.members)
  }

  /** Runs to the end. */
  run(): void {
    const limit = this.bound * PATIENCE.bounds + PATIENCE.ms
    this.#unfinished = this.members.filter(counts).length
    for (const member of this.members) this.clock.at(member.joinsAt, () => this.#arrive(member))
    disturb(this)
    while (this.#unfinished > 0 && this.clock.now < limit && this.clock.step());
    for (const { peer } of this.members) peer?.stop()
    this.#medium.post.stop()
  }

  get present(): Present[] {
    return this.members.filter(isPresent)
  }

  // --- coming and going

  #arrive(member: Member): void {
    const { key, group, index, seeds } = member
    member.share.atStart = this.#share.read(this.clock.now)
    this.#share.change(this.clock.now, contributes(member) ? group.up : 0, counts(member) ? 1 : 0)
    member.peer = new Peer({
      key,
      up: group.up,
      down: group.down,
      wire: group.wire ?? 'share',
      conduct: group.conduct ?? 'honest',
      seeds,
      sizes: this.#sizes,
      medium: this.#medium,
      mind: this.#mind(index),
      onUploaded: () => this.#uploaded(member),
      onComplete: () => this.#completed(member),
      onBan: (end) => this.#banned(member, end),
    })
    // after everyone else who comes at this moment
    this.clock.after(0, () => this.meetOthers(member))
  }

  #mind(index: number): Mind {
    const { policy, checked } = this.#options
    const scheduler = new Scheduler(createPrng(this.seed * 100_003 + index), policy)
    if (checked === undefined) return scheduler
    return {
      handle: (event, now) => {
        const actions = scheduler.handle(event, now)
        checked(scheduler)
        return actions
      },
      nextTimeout: () => scheduler.nextTimeout(),
      get awaitsNews() {
        return scheduler.awaitsNews
      },
    }
  }

  leave(member: Member): void {
    if (!isPresent(member)) return
    this.#share.change(
      this.clock.now,
      contributes(member) ? -member.group.up : 0,
      counts(member) && !isDone(member) ? -1 : 0,
    )
    if (counts(member) && !isDone(member)) this.#unfinished--
    member.leftAt = this.clock.now
    const former = [...member.peer.ends.values()].map((end) => this.#memberAt(end.other))
    member.peer.stop()
    for (const other of former) if (other !== undefined) this.#missOne(other)
  }

  #completed(member: Member): void {
    if (member.seeds || isDone(member)) return
    member.completedAt = this.clock.now
    member.share.atEnd = this.#share.read(this.clock.now)
    if (!counts(member)) return
    this.#share.change(this.clock.now, 0, -1)
    this.#unfinished--
    if (member.group.leavesWhenComplete === true) this.clock.after(0, () => this.leave(member))
  }

  #uploaded(member: Member): void {
    const { leavesAtCopies } = this.scenario.seeder
    if (!member.seeds || leavesAtCopies === undefined || member.peer === undefined) return
    if (member.peer.sentBytes < leavesAtCopies * sizeOf(this.scenario)) return
    this.clock.after(0, () => this.leave(member))
  }

  #banned(member: Member, end: End): void {
    const other = this.#memberAt(end.other)
    other?.bannedBy.add(member.key)
    end.connection.close(end.owner)
    this.#missOne(member)
  }

  // --- neighbours

  /** Connects a peer to as many as it lacks. */
  meetOthers(member: Member): void {
    if (!isPresent(member)) return
    const strangers = this.present.filter((other) => this.mayMeet(member, other))
    for (const other of this.#neighbourhood.choose(member, strangers)) this.connect(member, other)
  }

  mayMeet(a: Present, b: Present): boolean {
    if (a === b || a.peer.ends.has(b.key) || b.peer.ends.has(a.key)) return false
    return !a.bannedBy.has(b.key) && !b.bannedBy.has(a.key) && this.reach(a, b)
  }

  connect(a: Present, b: Present): void {
    const latency = this.#latency(a, b)
    const [ours, theirs] = new Connection(this.#medium, latency, [a.peer, b.peer]).ends
    const [named, theirsNamed] = [a.peer.meet(ours), b.peer.meet(theirs)]
    a.peer.join(ours, theirsNamed)
    b.peer.join(theirs, named)
  }

  /** Finds others, in a while, for one that lost a neighbour. */
  #missOne(member: Member): void {
    if (this.#searching.has(member)) return
    this.#searching.add(member)
    this.clock.after(SEARCH_MS, () => {
      this.#searching.delete(member)
      this.meetOthers(member)
    })
  }

  #memberAt(end: End): Member | undefined {
    return this.#byKey.get(end.owner.key)
  }

  #latency(a: Member, b: Member): number {
    const { latency } = this.scenario
    if (typeof latency === 'number') return latency
    const pair = Math.min(a.index, b.index) + this.members.length * Math.max(a.index, b.index)
    const drawn = createPrng(this.seed * 100_003 + pair).unit()
    return Math.round(latency.least + drawn * (latency.most - latency.least))
  }
}
