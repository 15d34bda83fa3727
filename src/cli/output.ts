/**
 * What a command prints. Results go to stdout: text for people, or with `--json` one object a line. Messages go to
 * stderr. A failure is two lines on stderr, what happened and what to do next; with `--json` stdout
 * carries `{"error":{code,message,hint}}` as well, so that a program that reads stdout gets an object in any
 * case. There is no colour anywhere, so NO_COLOR has nothing to turn off.
 */
import { once } from 'node:events'
import { printable } from '../core/cid.ts'
import type { ShareError } from '../core/errors.ts'

// longer than any path, so that a message stays whole; a bound all the same
const MESSAGE_LIMIT = 8192

export class Output {
  readonly json: boolean

  constructor(json: boolean) {
    this.json = json
  }

  /** A result: `text` for people, `value` for programs. */
  result(text: string, value: object): void {
    process.stdout.write(`${this.json ? JSON.stringify(value) : text}\n`)
  }

  /** A message for people. */
  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  /** Bytes as they are; resolves when there is room for more. */
  async bytes(chunk: Uint8Array): Promise<void> {
    if (!process.stdout.write(chunk)) await once(process.stdout, 'drain')
  }

  /** A failure that the results on stdout tell already. */
  warn(error: ShareError): void {
    this.note(failureText(error))
  }

  failure(error: ShareError): void {
    if (this.json) process.stdout.write(`${JSON.stringify({ error })}\n`)
    this.warn(error)
  }
}

function failureText(error: ShareError): string {
  const message = printable(error.message, MESSAGE_LIMIT)
  const hint = printable(error.hint, MESSAGE_LIMIT)
  // Ctrl-C is no error
  return error.code === 'INTERRUPTED'
    ? `${message}; ${hint}`
    : `error: ${message} [${error.code}]\nnext: ${hint}`
}

/** A reader that has enough (`share cat … | head`) closes the pipe: that ends the command, without a word. */
export function endWithReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
}
