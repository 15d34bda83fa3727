/** What goes wrong in a run: partitions, standstills, departures. */
import type { Connection, End } from './connection.ts'
import { isPresent, type Member, type Present } from './member.ts'
import type { Scenario } from './scenario.ts'
import type { Simulation } from './simulation.ts'

/** How long it takes to notice that nothing comes through any more: a ping and its timeout. */
const NOTICE_MS = 5_000

/** How long until those who remember each other's addresses have met again; the former connections are gone by then. */
const HEAL_MS = 1_000

export function disturb(run: Simulation): void {
  const { partition, stalls, departures } = run.scenario
  if (partition !== undefined) divide(run, partition)
  if (stalls !== undefined) stall(run, stalls)
  if (departures !== undefined) depart(run, departures)
}

function divide(run: Simulation, { from, to }: NonNullable<Scenario['partition']>): void {
  const { clock, members, prng } = run
  const left = new Set(members.filter(() => prng.unit() < 0.5))
  const cut: [Member, Member][] = []
  clock.at(from, () => {
    run.reach = (a, b) => left.has(a) === left.has(b)
    for (const { a, b, connection } of pairs(run)) {
      if (run.reach(a, b)) continue
      cut.push([a, b])
      connection.silence()
      clock.after(Math.min(NOTICE_MS, to - from), () => connection.close(a.peer))
    }
  })
  clock.at(to, () => {
    run.reach = () => true
    clock.after(HEAL_MS, () => {
      for (const [a, b] of cut) if (isPresent(a) && isPresent(b) && run.mayMeet(a, b)) run.connect(a, b)
      for (const member of run.present) run.meetOthers(member)
    })
  })
}

function* pairs(run: Simulation): Generator<{ a: Present; b: Present; connection: Connection }> {
  const present = new Map(run.present.map((member) => [member.key, member]))
  for (const a of present.values()) {
    for (const { connection, other } of a.peer.ends.values()) {
      const b = present.get(other.owner.key)
      if (b !== undefined && a.index < b.index) yield { a, b, connection }
    }
  }
}

function stall(run: Simulation, { of, every, lasts }: NonNullable<Scenario['stalls']>): void {
  const { clock } = run
  const again = (): void => {
    clock.after(every, again)
    const resume = of === 'peer' ? stopPeer(run) : stopLane(run)
    if (resume !== undefined) clock.after(lasts, resume)
  }
  clock.after(every, again)
}

function stopPeer(run: Simulation): (() => void) | undefined {
  const { network } = run
  const member = anyOf(run, leechers(run))
  if (member === undefined) return undefined
  const { up, down } = member.peer
  network.setCapacity(up, 0)
  network.setCapacity(down, 0)
  return () => {
    network.setCapacity(up, member.group.up)
    network.setCapacity(down, member.group.down)
  }
}

function stopLane(run: Simulation): (() => void) | undefined {
  const busy: End[] = []
  for (const { peer } of run.present) for (const end of peer.ends.values()) if (end.lane.busy) busy.push(end)
  const end = anyOf(run, busy)
  end?.lane.pause(true)
  return () => end?.lane.pause(false)
}

function depart(run: Simulation, { every, most }: NonNullable<Scenario['departures']>): void {
  const { clock } = run
  let gone = 0
  const again = (): void => {
    const member = anyOf(
      run,
      leechers(run).filter(({ completedAt }) => completedAt === undefined),
    )
    if (member !== undefined) run.leave(member)
    if (++gone < most) clock.after(every, again)
  }
  clock.after(every, again)
}

const leechers = (run: Simulation): Present[] => run.present.filter(({ seeds }) => !seeds)

const anyOf = <Item>(run: Simulation, items: readonly Item[]): Item | undefined =>
  items[run.prng.below(Math.max(1, items.length))]
