/** The others of a private DHT, in a process of their own: says how to join them, and finds what it is asked to. */
import { CID } from 'multiformats/cid'
import { RoutingNodes } from '../e2e/routing-nodes.ts'

/** Ms for one lookup. */
const LOOKUP_LIMIT = 20_000

export interface Asked {
  readonly provider: string
  readonly cids: readonly string[]
}

const nodes = new RoutingNodes()
const first = await nodes.start()
const bootstrap = first.libp2p.getMultiaddrs().map(String)
for (let at = 1; at < Number(process.argv[2]); at++) await nodes.start({ config: { bootstrap } })
// one that has heard of nobody before, as somebody who looks for something
const stranger = await nodes.start({ config: { bootstrap } })

process.on('message', (asked: Asked) => void find(asked).then((found) => process.send?.(found)))
process.on('disconnect', () => process.exit(0))
process.send?.(bootstrap)

/** How many of them lead to the provider. */
async function find({ provider, cids }: Asked): Promise<number> {
  let found = 0
  for (const cid of cids) {
    const signal = AbortSignal.timeout(LOOKUP_LIMIT)
    for await (const { id } of stranger.routing.findProviders(CID.parse(cid), { signal })) {
      if (id.toString() !== provider) continue
      found++
      break
    }
  }
  return found
}
