/** share id: who this node is, and where it can be reached. */
import type { Context } from '../context.ts'

export async function id({ out, signal, daemon }: Context): Promise<void> {
  const identity = await (await daemon()).id({ signal })
  out.result([identity.peerId, ...identity.addresses].join('\n'), identity)
}
