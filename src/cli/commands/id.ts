/** share id: who this node is, and where it can be reached. */
import type { NodeIdentity } from '../../node/types.ts'
import type { Context } from '../context.ts'

export async function id({ out, signal, daemon }: Context): Promise<void> {
  const identity = await (await daemon()).id({ signal })
  const lines = [identity.peerId, ...identity.addresses, reachableText(identity)]
  out.result(lines.join('\n'), identity)
}

/** `reachable: relayed (a relay holds a place for this node)`. */
export function reachableText({ reachable, reachableBy }: NodeIdentity): string {
  return `reachable: ${reachable} (${reachableBy})`
}
