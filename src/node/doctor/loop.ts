/**
 * A transfer from this node to itself, by the way that a stranger would take: a second node, made for it alone, gets a
 * small share by its link, through the relay where this node is met at one.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ShareError } from '../../core/errors.ts'
import type { Node } from '../types.ts'
import { type Finding, failed, ok, warning } from './check.ts'

const BYTES = 64 << 10
const LIMIT_MS = 20_000

export async function loopTransfer(node: Node): Promise<Finding> {
  const directory = await mkdtemp(join(tmpdir(), 'share-doctor-'))
  const { reachable } = node.identity
  try {
    const source = join(directory, 'source')
    await writeFile(source, randomBytes(BYTES))
    const { cid } = await node.add(source, { copy: true, name: 'share doctor' })
    try {
      const started = performance.now()
      await fetch(await node.link(cid, { torrent: false }), directory)
      const way = reachable === 'relayed' ? 'through the relay' : 'by its own address'
      return ok(`${BYTES >> 10} KiB came back ${way} in ${Math.round(performance.now() - started)} ms`)
    } finally {
      await node.rm(cid)
    }
  } catch (thrown) {
    const finding = ShareError.from(thrown).message
    // many routers do not let their own side in by the outside address
    if (reachable === 'direct')
      return warning(finding, 'try `share get` of a link on a machine in another network')
    return failed(finding, 'see above what keeps others out')
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function fetch(link: string, directory: string): Promise<void> {
  const { createNode } = await import('../node.ts')
  const config = {
    listen: [],
    bootstrap: [],
    dht: 'off',
    'discovery.mdns': false,
    'reach.upnp': false,
    'reach.autonat': false,
    'reach.punch': false,
  } as const
  const other = await createNode({ home: join(directory, 'home'), config })
  try {
    await other.get(link, { output: join(directory, 'target'), signal: AbortSignal.timeout(LIMIT_MS) })
  } finally {
    await other.stop()
  }
}
