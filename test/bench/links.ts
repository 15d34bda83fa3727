/**
 * What the benchmark's links do, as root: bytes a second that TCP gets through an uplink, and how long a datagram takes
 * there and back over an idle uplink and over a full one, which control messages share. `node test/bench/links.ts`
 */
import { fileURLToPath } from 'node:url'
import { MBIT } from '../../src/sim/scenario.ts'
import { openRun, removeNamespaces } from './leftovers.ts'
import { layOut } from './network.ts'
import { Place } from './program.ts'

/** What the asking end is to do. */
export interface Order {
  /** TCP connections that fill the uplink. */
  readonly flows: number
  readonly ms: number
}

/** What it saw. */
export interface Seen {
  /** Bytes a second of the connections, without headers. */
  readonly rate: number
  /** The part of the datagrams that did not come back. */
  readonly lost: number
  /** Ms there and back, sorted. */
  readonly times: readonly number[]
}

const END = fileURLToPath(new URL('link-end.ts', import.meta.url))

const BASE = '/dev/shm'

const UPLINKS = [10, 50, 100]

/** A seeder feeds many at once. */
const FLOWS = [0, 1, 8]

const MS = 5000

async function measure(up: number, flows: number, directory: string): Promise<string> {
  try {
    const { peers } = await layOut([
      { up: up * MBIT, down: 400 * MBIT },
      { up: 400 * MBIT, down: 400 * MBIT },
    ])
    const [from, to] = peers.map((peer) => new Place(peer, directory))
    if (from === undefined || to === undefined) throw new Error('two ends were asked for')
    const answering = to.start([process.execPath, END, 'answer', to.address])
    await answering.line(/ready/)
    const asking = from.start([process.execPath, END, 'ask', to.address])
    const { rate, lost, times } = JSON.parse(await asking.ask(JSON.stringify({ flows, ms: MS }))) as Seen
    await Promise.all([asking.stop(), answering.stop()])
    const at = (part: number): string => `${(times[Math.floor(part * (times.length - 1))] ?? 0).toFixed(1)}`
    const cells = [
      `${up} Mbit/s`,
      flows,
      `${((100 * rate) / (up * MBIT)).toFixed(1)} %`,
      at(0.5),
      at(0.95),
      `${(100 * lost).toFixed(1)} %`,
    ]
    return `| ${cells.join(' | ')} |`
  } finally {
    removeNamespaces()
  }
}

using run = openRun(BASE)
process.stdout.write('| uplink | TCP flows | their bytes | median RTT, ms | 95th percentile | lost |\n')
process.stdout.write('| ---: | ---: | ---: | ---: | ---: | ---: |\n')
for (const up of UPLINKS) {
  for (const flows of FLOWS) process.stdout.write(`${await measure(up, flows, run.directory)}\n`)
}
