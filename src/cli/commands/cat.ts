/** share cat: a file's bytes on stdout, as they are. */
import { parseTarget } from '../../node/target.ts'
import { parseRange } from '../arguments.ts'
import type { Context } from '../context.ts'
import { streamed } from '../streamed.ts'

export function cat(context: Context, target: string, options: { readonly range?: string }): Promise<number> {
  return streamed(context, () => {
    parseTarget(target)
    const range = options.range === undefined ? {} : parseRange(options.range)
    return (client) => client.cat({ target, ...range }, { signal: context.signal })
  })
}
