/** share ls: the entries of a directory, or the shares. */
import { printable } from '../../core/cid.ts'
import { formatBytes } from '../../core/units.ts'
import { parseTarget } from '../../node/target.ts'
import type { ListEntry } from '../../node/types.ts'
import type { Context } from '../context.ts'

const SUFFIX = { file: '', directory: '/', symlink: '@' } as const

export async function ls({ out, signal, daemon }: Context, target: string | undefined): Promise<void> {
  if (target === undefined) {
    const { shares } = await (await daemon()).status({ signal })
    const lines = shares.map((share) => line(share.cid, share.size, printable(share.name)))
    if (out.json || lines.length > 0) out.result(lines.join('\n'), { shares })
    else out.note('nothing is shared yet: `share add PATH`')
    return
  }
  parseTarget(target)
  const client = await daemon()
  await client.ls(target, { signal, onEntry: (entry) => out.result(entryLine(entry), entry) })
}

function entryLine(entry: ListEntry): string {
  return line(entry.cid, entry.size, `${printable(entry.name)}${SUFFIX[entry.kind]}`)
}

function line(cid: string, size: number | undefined, name: string): string {
  return `${cid}  ${(size === undefined ? '-' : formatBytes(size)).padStart(8)}  ${name}`
}
