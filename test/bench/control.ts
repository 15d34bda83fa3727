/**
 * How long a message without data takes under a rate limit, from the scheduler that decides it to the one that is told
 * of it. Two nodes in this process, on loopback, each download from the other; one of them is limited both ways. One
 * process, because then one clock tells both moments.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPrng } from '../../src/core/prng.ts'
import type { Config } from '../../src/node/config.ts'
import { createNode } from '../../src/node/node.ts'
import type { Node } from '../../src/node/types.ts'
import type { SwarmAction, SwarmEvent } from '../../src/swarm/events.ts'
import { Scheduler } from '../../src/swarm/scheduler.ts'

export interface Trial {
  /** Bytes a second, both ways. */
  readonly rate: number
  readonly wire: 'share' | 'bitswap'
  readonly seconds: number
  readonly directory: string
}

export interface Outcome {
  /** Part of the limit that was used. */
  readonly up: number
  readonly down: number
  /** Ms of every message that arrived, ascending, by what it is. */
  readonly delays: ReadonlyMap<string, readonly number[]>
  /** Decided more than `LOST_MS` before the end and not arrived. */
  readonly lost: number
}

/** Pieces a second each way: enough messages at any rate, and pieces of ordinary size at the highest. */
const PIECES_A_SECOND = 20
const MOST_PIECE_BYTES = 1 << 20

/** Before rates are measured: capacities are learnt, and what a limit had saved up is used. */
const WARM_MS = 5_000

/** A message that takes longer was not sent, or is as good as lost. */
const LOST_MS = 2_000

type Heard = Partial<Record<SwarmAction['type'], readonly SwarmEvent['type'][]>>

/** By what a message is decided, and by what the other scheduler hears of it; questions are heard of by their answers. */
const HEARD: Readonly<Record<Trial['wire'], Heard>> = {
  share: {
    offer: ['offered'],
    'offer-uplink': ['idle'],
    request: ['requested', 'accepted'],
    decline: ['declined'],
    busy: ['busy'],
    have: ['has'],
    expect: ['expects'],
    'expect-no-more': ['expects-no-more'],
  },
  bitswap: { request: ['requested'], ask: ['has', 'lacks'] },
}

/** Looks on while schedulers handle events: messages are on their way from a decision to an event. */
class Tap {
  lost = 0
  readonly delays = new Map<string, number[]>()
  /** When what was decided, by whom. */
  readonly #underWay = new Map<Scheduler, Map<string, number>>()
  readonly #handle = Scheduler.prototype.handle

  readonly #heard: Heard

  constructor(wire: Trial['wire']) {
    const tap = this
    this.#heard = HEARD[wire]
    Scheduler.prototype.handle = function (event, now) {
      tap.#hear(this, event, now)
      const actions = tap.#handle.call(this, event, now)
      for (const action of actions) tap.#decide(this, action, now)
      return actions
    }
  }

  remove(now: number): void {
    Scheduler.prototype.handle = this.#handle
    for (const decided of this.#underWay.values())
      for (const at of decided.values()) if (at < now - LOST_MS) this.lost++
  }

  #decide(scheduler: Scheduler, action: SwarmAction, now: number): void {
    if (this.#heard[action.type] === undefined) return
    const decided = this.#underWay.get(scheduler) ?? new Map<string, number>()
    this.#underWay.set(scheduler, decided)
    for (const what of piecesOf(action)) decided.set(`${action.type} ${what}`, now)
  }

  #hear(scheduler: Scheduler, event: SwarmEvent, now: number): void {
    for (const [type, events] of Object.entries(this.#heard)) {
      if (!events.includes(event.type)) continue
      for (const [decider, decided] of this.#underWay) {
        // an answer comes to who asked, anything else to the other one
        if ((decider === scheduler) !== (type === 'ask')) continue
        for (const what of piecesOf(event)) this.#arrive(type, decided, `${type} ${what}`, now)
      }
    }
  }

  #arrive(type: string, decided: Map<string, number>, key: string, now: number): void {
    const at = decided.get(key)
    if (at === undefined) return
    decided.delete(key)
    const delays = this.delays.get(type) ?? []
    this.delays.set(type, delays)
    delays.push(now - at)
  }
}

function piecesOf(item: SwarmAction | SwarmEvent): string[] {
  if (!('root' in item) || item.root === undefined) return []
  const pieces = 'pieces' in item ? item.pieces : 'piece' in item ? [item.piece] : [undefined]
  return pieces.map((piece) => `${piece} of ${item.root}`)
}

export async function measureControl({ rate, wire, seconds, directory }: Trial): Promise<Outcome> {
  const tap = new Tap(wire)
  const stop = new AbortController()
  const nodes: Node[] = []
  try {
    const start = async (name: string, limits: Partial<Config>): Promise<Node> => {
      const node = await createNode({
        home: join(directory, name),
        config: { ...ALONE, 'wire.share': wire === 'share', ...limits },
      })
      nodes.push(node)
      return node
    }
    const limited = await start('limited', { 'limits.up': rate, 'limits.down': rate })
    const other = await start('other', {})
    const bytes = rate * (seconds + (2 * WARM_MS) / 1000)
    const up = await limited.add(await pieces(join(directory, 'up'), rate, bytes, 1))
    const down = await other.add(await pieces(join(directory, 'down'), rate, bytes, 2))
    await limited.connect(other.identity.addresses[0] ?? '')
    const { signal } = stop
    const gets = [
      other.get(up.cid, { output: join(directory, 'got-up'), signal }),
      limited.get(down.cid, { output: join(directory, 'got-down'), signal }),
    ]
    const failed = Promise.race(gets.map((get) => get.then(() => new Error('done too soon'))))
    const moved = async (): Promise<[up: number, down: number]> => {
      const shares = await limited.status()
      const of = (cid: string) => shares.find((share) => share.cid === cid)
      return [of(up.cid)?.uploaded ?? 0, of(down.cid)?.downloaded ?? 0]
    }
    await wait(WARM_MS, failed)
    const before = await moved()
    const since = performance.now()
    await wait(seconds * 1000, failed)
    const most = (rate * (performance.now() - since)) / 1000
    const [sent = 0, got = 0] = (await moved()).map((total, at) => (total - (before[at] ?? 0)) / most)
    await wait(LOST_MS, failed)
    tap.remove(performance.now())
    stop.abort()
    await Promise.allSettled(gets)
    for (const delays of tap.delays.values()) delays.sort((a, b) => a - b)
    return { up: sent, down: got, delays: tap.delays, lost: tap.lost }
  } finally {
    stop.abort()
    for (const node of nodes) await node.stop()
  }
}

/** Nothing leaves the machine. */
const ALONE: Partial<Config> = {
  listen: ['/ip4/127.0.0.1/tcp/0'],
  bootstrap: [],
  'discovery.mdns': false,
  dht: 'off',
}

/** Waits, and throws what comes of the downloads meanwhile. */
async function wait(ms: number, failed: Promise<Error>): Promise<void> {
  const error = await Promise.race([failed, sleep(ms)])
  if (error instanceof Error) throw error
}

/** A directory with a file for each piece. */
async function pieces(path: string, rate: number, bytes: number, seed: number): Promise<string> {
  const size = Math.min(MOST_PIECE_BYTES, Math.ceil(rate / PIECES_A_SECOND))
  const prng = createPrng(seed)
  await mkdir(path)
  for (let at = 0; at * size < bytes; at++) {
    const content = Buffer.alloc(size, at.toString(36))
    content.writeUInt32LE(prng.below(2 ** 32), 0)
    await writeFile(join(path, String(at)), content)
  }
  return path
}
