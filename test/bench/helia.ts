/** Helia from npm, in a process of its own; its blocks are in memory, as it comes. */
import { Helia } from '../interop/helia.ts'
import type { Peer, Place, Program } from './program.ts'

export async function helia(): Promise<Program> {
  const one = await Helia.startAt()
  const version = await one.version()
  await one.stop()
  return { name: 'helia', version: `Helia ${version}`, able: ({ files }) => files === undefined, start }
}

async function start({ address }: Place): Promise<Peer> {
  const peer = await Helia.startAt(address)
  return {
    address: await peer.address(),
    pid: peer.pid,
    add: (source) => peer.add(source),
    join: async (_share, _target, others) => {
      for (const other of others) await peer.connectTo(other)
    },
    connections: () => peer.connections(),
    get: (cid, target) => peer.get(cid, target),
    stop: () => peer.stop(),
  }
}
