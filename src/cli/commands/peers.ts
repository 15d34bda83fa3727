/** share peers: who is connected; share peers connect: connects. */
import { printable } from '../../core/cid.ts'
import { checkPeerAddress } from '../../node/target.ts'
import type { Context } from '../context.ts'

export async function peers({ out, signal, daemon }: Context): Promise<void> {
  const answer = await (await daemon()).peers({ signal })
  const lines = answer.peers.map((peer) => `${printable(peer.address)}  ${peer.direction}`)
  if (out.json || lines.length > 0) out.result(lines.join('\n'), answer)
  else out.note('nobody is connected: `share peers connect MULTIADDR`')
}

export async function connect({ out, signal, daemon }: Context, address: string): Promise<void> {
  checkPeerAddress(address)
  const peer = await (await daemon()).connect(address, { signal })
  out.result(`connected to ${printable(peer.address)}`, peer)
}
