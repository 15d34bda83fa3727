/**
 * A Helia on loopback, at the address that the variable LISTEN names, that does as it is told on stdin, a line of JSON `[what, ...arguments]` each, and answers with
 * `{ answer }` or `{ error }`. Run with Helia's modules in the working directory, as a module that is read from text.
 */
import { createReadStream } from 'node:fs'
import { mkdir, open, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { unixfs } from '@helia/unixfs'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createHeliaLight } from 'helia'
import { CID } from 'multiformats/cid'

const counts = { received: 0, sent: 0, sentBytes: 0 }

/** What Helia meters itself; of the blocks that it receives it meters none, but tells of each as it is stored. */
const SENT = { helia_bitswap_sent_blocks_total: 'sent', helia_bitswap_sent_data_bytes_total: 'sentBytes' }
const onProgress = ({ type }) => {
  if (type === 'blocks:get:blockstore:put') counts.received++
}
const metric = (name) => ({
  increment: (by) => {
    if (SENT[name] !== undefined) counts[SENT[name]] += by
  },
  update: () => {},
})
const METRICS = {
  registerMetric: metric,
  registerMetricGroup: metric,
  registerCounter: metric,
  traceFunction: (_name, run) => run,
}

const bare = createHeliaLight({ metrics: METRICS })
const helia = withBitswap(
  withLibp2pLight(bare, {
    addresses: { listen: [`/ip4/${process.env.LISTEN ?? '127.0.0.1'}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [noise(), tls()],
    streamMuxers: [yamux()],
    services: { identify: identify(), identifyPush: identifyPush(), ping: ping() },
  }),
)
await helia.start()
const files = unixfs(helia)

const ACTIONS = {
  about: () => ({
    version: helia.info.version,
    address: helia.libp2p.getMultiaddrs()[0].toString(),
  }),
  connect: async (address) => {
    await helia.libp2p.dial(multiaddr(address))
  },
  add: async (path) =>
    String(await files.addByteStream(createReadStream(path), { profile: 'unixfs-v1-2025' })),
  get: (cid, target) => write(CID.parse(cid), target),
  count: () => counts,
  connections: () => helia.libp2p.getPeers().length,
}

async function write(cid, target) {
  const { type, unixfs: entry } = await files.stat(cid, { onProgress })
  if (entry?.type === 'symlink') return symlink(new TextDecoder().decode(entry.data), target)
  if (type === 'directory') {
    await mkdir(target)
    for await (const { name, cid: below } of files.ls(cid, { onProgress }))
      await write(below, join(target, name))
    return
  }
  await using file = await open(target, 'w')
  for await (const bytes of files.cat(cid, { onProgress })) await file.writeFile(bytes)
}

for await (const line of createInterface({ input: process.stdin })) {
  const [what, ...rest] = JSON.parse(line)
  try {
    console.log(JSON.stringify({ answer: (await ACTIONS[what](...rest)) ?? null }))
  } catch (error) {
    console.log(JSON.stringify({ error: String(error?.stack ?? error) }))
  }
}
process.exit()
