/** How busy the links are over time: who idles when says why a swarm is slower than fluids. */
import { isPresent, type Member } from './member.ts'
import type { Simulation } from './simulation.ts'

/** Ms between two looks, and how many of them make a line. */
const LOOK_MS = 10
const LOOKS = 50

/** Parts of what there is, averaged over the line. */
export interface TraceLine {
  /** Ms. */
  readonly from: number
  readonly seederUp: number
  /** Of those who have at least one piece. */
  readonly leecherUp: number
  readonly down: number
  /** Transfers per leecher. */
  readonly flows: number
  /** Part of the leechers that have something and send nothing, and that lack something and get nothing. */
  readonly idleUp: number
  readonly idleDown: number
}

type Look = Omit<TraceLine, 'from'>

export class Trace {
  readonly lines: TraceLine[] = []
  readonly #run: Simulation
  #looks: Look[] = []
  #from = 0

  constructor(run: Simulation) {
    this.#run = run
    const again = (): void => {
      this.#look()
      run.clock.after(LOOK_MS, again)
    }
    run.clock.after(LOOK_MS, again)
  }

  #look(): void {
    const present = this.#run.present
    const seeders = present.filter(({ seeds }) => seeds)
    const leechers = present.filter(({ seeds }) => !seeds)
    const givers = leechers.filter(({ peer }) => peer.storedAt.length > 0)
    const takers = leechers.filter(({ completedAt }) => completedAt === undefined)
    this.#looks.push({
      seederUp: part(seeders, 'up'),
      leecherUp: part(givers, 'up'),
      down: part(takers, 'down'),
      flows: mean(leechers.map(({ peer }) => peer.down.flows.length)),
      idleUp: mean(givers.map(({ peer }) => (peer.up.flows.length === 0 ? 1 : 0))),
      idleDown: mean(takers.map(({ peer }) => (peer.down.flows.length === 0 ? 1 : 0))),
    })
    if (this.#looks.length < LOOKS) return
    const all = (key: keyof Look): number => mean(this.#looks.map((look) => look[key]))
    this.lines.push({
      from: this.#from,
      seederUp: all('seederUp'),
      leecherUp: all('leecherUp'),
      down: all('down'),
      flows: all('flows'),
      idleUp: all('idleUp'),
      idleDown: all('idleDown'),
    })
    this.#looks = []
    this.#from = this.#run.clock.now
  }
}

function part(members: readonly Member[], link: 'up' | 'down'): number {
  const there = members.filter(isPresent)
  const capacity = there.reduce((sum, { peer }) => sum + peer[link].capacity, 0)
  return capacity === 0 ? 0 : there.reduce((sum, { peer }) => sum + peer[link].load, 0) / capacity
}

const mean = (numbers: readonly number[]): number =>
  numbers.length === 0 ? 0 : numbers.reduce((sum, one) => sum + one, 0) / numbers.length
