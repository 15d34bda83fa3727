/** Commands whose stdout is a file: with `--json` only a failure is told differently, on stderr. */
import { ShareError } from '../core/errors.ts'
import type { DaemonClient } from '../daemon/client.ts'
import type { Context } from './context.ts'

/** `check` looks at what was asked before there is a daemon, and says what to take of it. Returns the exit code. */
export async function streamed(
  { out, daemon }: Context,
  check: () => (client: DaemonClient) => AsyncIterable<Uint8Array>,
): Promise<number> {
  try {
    const chunks = check()
    for await (const chunk of chunks(await daemon())) await out.bytes(chunk)
    return 0
  } catch (thrown) {
    if (!out.json) throw thrown
    const error = ShareError.from(thrown)
    out.note(JSON.stringify({ error }))
    return error.exitCode
  }
}
