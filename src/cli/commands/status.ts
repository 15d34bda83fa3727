/** share status: now, or with `--watch` whenever it changes. */
import type { ShareInfo } from '../../node/types.ts'
import type { Context } from '../context.ts'
import { statusText } from '../status-text.ts'

const INTERRUPTED_EXIT_CODE = 130
const CLEAR_SCREEN = '\u001b[H\u001b[J'

export async function status(
  { out, signal, daemon }: Context,
  options: { readonly watch?: boolean },
): Promise<number | undefined> {
  const client = await daemon()
  if (options.watch !== true) {
    const answer = await client.status({ signal })
    out.result(statusText(answer.shares), answer)
    return 0
  }
  const redraw = process.stdout.isTTY === true && process.env.TERM !== 'dumb' && !out.json
  const print = (answer: { shares: ShareInfo[] }): void => {
    const text = statusText(answer.shares)
    out.result(redraw ? `${CLEAR_SCREEN}${text}` : `${text}\n`, answer)
  }
  try {
    await client.watch({ signal, onStatus: print })
  } catch (thrown) {
    if (!signal.aborted) throw thrown
  }
  // Ctrl-C is how one stops watching
  return INTERRUPTED_EXIT_CODE
}
