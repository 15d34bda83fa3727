/** share daemon logs: the log so far, and with `-f` as it grows. */
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { printable } from '../../core/cid.ts'
import { errno, ShareError } from '../../core/errors.ts'
import { logPath } from '../../daemon/log.ts'
import type { Context } from '../context.ts'

const INTERRUPTED_EXIT_CODE = 130
const FOLLOW_INTERVAL_MS = 250
const READ_BYTES = 64 * 1024
const LONGEST_LINE = 4096

export async function logs(
  { home, out, signal }: Context,
  options: { readonly follow?: boolean },
): Promise<number | undefined> {
  const follower = new Follower(logPath(home), (line) => {
    const clean = printable(line, LONGEST_LINE)
    out.result(clean, { line: clean })
  })
  if (!(await follower.read()) && options.follow !== true) {
    throw new ShareError('NOT_FOUND', 'there is no log yet', 'start the daemon with `share daemon start`')
  }
  if (options.follow !== true) return 0
  while (!signal.aborted) {
    await sleep(FOLLOW_INTERVAL_MS, undefined, { signal }).catch(() => {})
    await follower.read()
  }
  return INTERRUPTED_EXIT_CODE
}

/** Reads a growing file by lines, and from its beginning again when it was emptied. */
class Follower {
  readonly #path: string
  readonly #onLine: (line: string) => void
  #position = 0
  #held = ''

  constructor(path: string, onLine: (line: string) => void) {
    this.#path = path
    this.#onLine = onLine
  }

  /** Reads what is new; false when there is no file. */
  async read(): Promise<boolean> {
    try {
      await using file = await open(this.#path)
      if ((await file.stat()).size < this.#position) this.#position = 0
      const decoder = new TextDecoder()
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(READ_BYTES), 0, READ_BYTES, this.#position)
        if (bytesRead === 0) return true
        this.#position += bytesRead
        this.#take(decoder.decode(buffer.subarray(0, bytesRead), { stream: true }))
      }
    } catch (thrown) {
      if (errno(thrown) === 'ENOENT') return false
      throw ShareError.from(thrown, 'read the log')
    }
  }

  #take(text: string): void {
    const lines = (this.#held + text).split('\n')
    this.#held = lines.pop() ?? ''
    for (const line of lines) this.#onLine(line)
  }
}
