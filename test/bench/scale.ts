/**
 * A node with many shares: how soon its daemon is ready, how soon `share status` answers, and what it holds in memory.
 * The shares stand in the catalogue only; nobody reads their files here.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { type Manifest, PieceTable } from '../../src/content/manifest.ts'
import { DAG_PB, RAW, SHA2_256 } from '../../src/core/cid.ts'
import { openStore } from '../../src/store/store.ts'
import { output } from './processes.ts'

const SHARE = fileURLToPath(new URL('../../bin/share.js', import.meta.url))

const PIECE = 1 << 20

/** Times that `share status` is asked; the median counts. */
const ASKED = 5

const { values } = parseArgs({
  options: {
    shares: { type: 'string', default: '1000' },
    pieces: { type: 'string', default: '1000' },
  },
})

async function fill(home: string, shares: number, pieces: number): Promise<void> {
  const store = await openStore(home)
  for (let at = 0; at < shares; at++) {
    await store.addShare({
      manifest: manifestOf(pieces),
      inlines: [],
      name: `share ${at}`,
      path: join(home, 'nowhere', String(at)),
      copied: false,
      added: undefined,
    })
  }
  await store.close()
}

function manifestOf(length: number): Manifest {
  const table = new PieceTable()
  const root = CID.createV1(
    DAG_PB,
    Digest.create(SHA2_256, createHash('sha256').update(randomBytes(32)).digest()),
  )
  for (let piece = 0; piece < length; piece++) {
    const place = { entry: 0, offset: piece * PIECE }
    table.push({ digest: randomBytes(32), codec: RAW, size: PIECE, blockSize: PIECE, place })
  }
  const size = length * PIECE
  return { root, entries: [{ kind: 'file', path: '', cid: root, size }], pieces: table, size }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now()
  await work()
  return performance.now() - from
}

async function main(): Promise<void> {
  const [shares, pieces] = [Number(values.shares), Number(values.pieces)]
  const home = await mkdtemp(join(tmpdir(), 'share-scale-'))
  const env = { SHARE_HOME: home }
  const share = (...args: string[]): Promise<string> =>
    output(process.execPath, [SHARE, ...args], '', { env })
  try {
    await fill(home, shares, pieces)
    await share('config', 'set', 'bootstrap', 'none')
    await share('config', 'set', 'discovery.mdns', 'off')
    const start = await timed(() => share('daemon', 'start'))
    const { pid } = JSON.parse(await share('daemon', 'status', '--json')) as { pid: number }
    const asked: number[] = []
    for (let time = 0; time < ASKED; time++) asked.push(await timed(() => share('status')))
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    const held = (what: string): number => Number(new RegExp(`${what}:\\s+(\\d+)`).exec(status)?.[1]) / 1000
    console.log(`${shares} shares of ${pieces} pieces`)
    console.log(`daemon ready after ${(start / 1000).toFixed(2)} s`)
    console.log(`status after ${asked.sort((a, b) => a - b)[ASKED >> 1]?.toFixed(0)} ms`)
    console.log(`resident ${held('VmRSS').toFixed(0)} MB, at most ${held('VmHWM').toFixed(0)} MB`)
  } finally {
    await share('daemon', 'stop').catch(() => {})
    await rm(home, { recursive: true, force: true })
  }
}

await main()
