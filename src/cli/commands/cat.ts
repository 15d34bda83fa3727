/** share cat: a file's bytes on stdout, as they are; `--json` changes only how a failure is told, on stderr. */
import { ShareError } from '../../core/errors.ts'
import { parseTarget } from '../../node/target.ts'
import { parseRange } from '../arguments.ts'
import type { Context } from '../context.ts'

export async function cat(
  { out, signal, daemon }: Context,
  target: string,
  options: { readonly range?: string },
): Promise<number | undefined> {
  try {
    parseTarget(target)
    const range = options.range === undefined ? {} : parseRange(options.range)
    const client = await daemon()
    for await (const chunk of client.cat({ target, ...range }, { signal })) await out.bytes(chunk)
    return 0
  } catch (thrown) {
    if (!out.json) throw thrown
    const error = ShareError.from(thrown)
    out.note(JSON.stringify({ error }))
    return error.exitCode
  }
}
