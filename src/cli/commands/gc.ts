/** share gc: frees what no share needs. */
import { formatBytes } from '../../core/units.ts'
import type { Context } from '../context.ts'

export async function gc({ out, signal, daemon }: Context): Promise<void> {
  const freed = await (await daemon()).gc({ signal })
  out.result(`freed ${freed.blocks} blocks, ${formatBytes(freed.bytes)}`, freed)
}
