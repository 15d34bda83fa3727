/**
 * How long one node takes to announce many CIDs to a private DHT, and to renew them, as kad-dht does 18 hours later; the
 * clock is put forward for that.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import { RAW, SHA2_256 } from '../../src/core/cid.ts'
import { type Table, tableText } from '../../src/sim/table.ts'
import { type RoutingNode, RoutingNodes } from '../e2e/routing-nodes.ts'
import type { Asked } from './announce-network.ts'
import { place } from './document.ts'
import { describeMachine, today, whenOf } from './results.ts'

const USAGE = `usage: node test/bench/announce.ts [options]
  --records N   CIDs to announce; 10000 unless said
  --nodes N     other nodes of the DHT; 20 unless said
  --write       puts the table into docs/benchmarks.md
`

const NETWORK = fileURLToPath(new URL('announce-network.ts', import.meta.url))

/** Later than records are due, earlier than others forget them. */
const LATER_MS = 20 * 3_600_000

/** Records looked for from elsewhere after each round. */
const SAMPLE = 200

const PROBE_MS = 200

const HEAD = [
  'round',
  'records',
  'time, s',
  'a second',
  'CPU, s',
  'longest wait of others, ms',
  'found from elsewhere',
]

/** What kad-dht has and leaves out of its types. */
interface Reprovider {
  processRecords(options: { signal: AbortSignal }): Promise<void>
  readonly reprovideQueue: EventTarget
  /** Of its next round; each round sets another, and the last one alone ends with the node. */
  readonly timeout: NodeJS.Timeout | undefined
}

class Announcing {
  readonly #node: RoutingNode
  readonly #others: ChildProcess
  readonly #cids: readonly CID[]
  readonly rows: string[][] = []

  constructor(node: RoutingNode, others: ChildProcess, records: number) {
    this.#node = node
    this.#others = others
    this.#cids = Array.from({ length: records }, () => CID.createV1(RAW, create(SHA2_256, randomBytes(32))))
  }

  async announce(): Promise<void> {
    await this.#round('announced', () => this.#node.routing.announceMany(this.#cids, () => true))
  }

  async renew(): Promise<void> {
    const reprovider = reproviderOf(this.#node)
    clearTimeout(reprovider.timeout)
    const now = Date.now
    Date.now = () => now() + LATER_MS
    let done = 0
    let failed = 0
    reprovider.reprovideQueue.addEventListener('success', () => done++)
    reprovider.reprovideQueue.addEventListener('failure', () => failed++)
    await this.#round('renewed', async () => {
      await reprovider.processRecords({ signal: AbortSignal.timeout(3_600_000) })
      while (done + failed < this.#cids.length) await sleep(PROBE_MS)
    })
    Date.now = now
    if (failed > 0) throw new Error(`${failed} records were not renewed`)
  }

  async #round(name: string, work: () => Promise<void>): Promise<void> {
    const delay = monitorEventLoopDelay({ resolution: 10 })
    delay.enable()
    const [from, cpu] = [performance.now(), process.cpuUsage()]
    await work()
    const seconds = (performance.now() - from) / 1000
    const { user, system } = process.cpuUsage(cpu)
    delay.disable()
    const found = await this.#found()
    this.rows.push([
      name,
      String(this.#cids.length),
      seconds.toFixed(1),
      (this.#cids.length / seconds).toFixed(0),
      ((user + system) / 1e6).toFixed(1),
      (delay.max / 1e6).toFixed(0),
      `${found} of ${SAMPLE}`,
    ])
  }

  async #found(): Promise<number> {
    const step = Math.max(1, Math.floor(this.#cids.length / SAMPLE))
    const cids = Array.from({ length: SAMPLE }, (_, at) =>
      String(this.#cids[(at * step) % this.#cids.length]),
    )
    const asked: Asked = { provider: this.#node.libp2p.peerId.toString(), cids }
    this.#others.send(asked)
    const [found] = await once(this.#others, 'message')
    return Number(found)
  }
}

function reproviderOf({ libp2p }: RoutingNode): Reprovider {
  const kad = libp2p.services.lanDht
  if (kad !== undefined && 'reprovider' in kad) return kad.reprovider as Reprovider
  throw new TypeError('this version of @libp2p/kad-dht has no reprovider')
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      records: { type: 'string', default: '10000' },
      nodes: { type: 'string', default: '20' },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const [records, count] = [Number(values.records), Number(values.nodes)]
  if (values.help || !(records > 0) || !(count > 0)) {
    process.stderr.write(USAGE)
    return values.help ? 0 : 2
  }
  const others = fork(NETWORK, [String(count)])
  const nodes = new RoutingNodes()
  try {
    const [bootstrap] = (await once(others, 'message')) as [string[]]
    const node = await nodes.start({ config: { bootstrap } })
    while (node.libp2p.getPeers().length < Math.min(count, 15)) await sleep(PROBE_MS)
    const announcing = new Announcing(node, others, records)
    await announcing.announce()
    await announcing.renew()
    const table: Table = { head: HEAD, rows: announcing.rows }
    const text = `${tableText(table)}\n\n${whenOf({ machine: describeMachine(), date: today() })}`
    process.stdout.write(`${text}\n`)
    if (values.write) await place('announce', text)
    return 0
  } finally {
    others.disconnect()
    await nodes.clear()
  }
}

process.exitCode = await main()
