/** share limit: what one share may take of the network; without an option, prints it. */

import { formatRate } from '../../core/units.ts'
import { checkShareName } from '../../node/share-name.ts'
import type { Rates } from '../../node/types.ts'
import { parseLimit } from '../arguments.ts'
import type { Context } from '../context.ts'

export async function limit(
  { out, signal, daemon }: Context,
  cid: string,
  options: { readonly up?: string; readonly down?: string },
): Promise<void> {
  checkShareName(cid)
  const rates: Partial<Rates> = {
    ...(options.up !== undefined && { up: parseLimit(options.up) }),
    ...(options.down !== undefined && { down: parseLimit(options.down) }),
  }
  const { limits } = await (await daemon()).limit(cid, rates, { signal })
  out.result(`up ${limitText(limits.up)}, down ${limitText(limits.down)}`, { cid, limits })
}

function limitText(rate: number): string {
  return rate === 0 ? 'unlimited' : formatRate(rate)
}
