/** Commands that are run to their end, and processes that stay. Those that stay are known, so that their work can be counted. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Characters of a process's standard error that are kept for its error message. */
const KEPT = 4000

/** Ms from asking a process to end until it is made to. */
const STOP_LIMIT = 15_000

interface Surroundings {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Standard output of a command that has to succeed. */
export async function output(
  command: string,
  args: readonly string[],
  input = '',
  surroundings: Surroundings = {},
): Promise<string> {
  const child = launch(command, args, surroundings)
  const said = errorsOf(child)
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin?.on('error', () => {}).end(input)
  const code = await endOf(child)
  if (code !== 0) throw failure([command, ...args], code, said())
  return Buffer.concat(chunks).toString()
}

/** A process that answers a line with a line, or just stays. */
export class Running {
  static readonly #all = new Set<Running>()
  readonly pid: number
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>
  readonly #lines: AsyncIterator<string>
  readonly #failure: (code: number | null) => Error

  constructor(command: string, args: readonly string[], surroundings: Surroundings = {}) {
    const child = launch(command, args, surroundings)
    const said = errorsOf(child)
    this.#failure = (code) => failure([command, ...args], code, said())
    this.#child = child
    this.pid = child.pid ?? 0
    Running.#all.add(this)
    this.#ended = endOf(child).finally(() => Running.#all.delete(this))
    this.#ended.catch(() => {})
    child.stdin?.on('error', () => {})
    const { stdout } = child
    if (stdout === null) throw new Error('no standard output')
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  }

  /** Ids of the processes that have not ended. */
  static pids(): number[] {
    return [...Running.#all].map(({ pid }) => pid)
  }

  /** The next line on standard output that fits. @throws Error when the process ends before */
  async line(pattern = /^/): Promise<string> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw this.#failure(await this.#ended)
      if (pattern.test(value)) return value
    }
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`)
    return this.line()
  }

  /** @throws Error when it has ended */
  check(): void {
    const { exitCode, signalCode } = this.#child
    if (exitCode !== null || signalCode !== null) throw this.#failure(exitCode)
  }

  /** Asks it to end and waits until it has. */
  async stop(): Promise<void> {
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT)
    this.#child.kill('SIGTERM')
    await this.#ended
    clearTimeout(late)
  }
}

const launch = (command: string, args: readonly string[], { env, cwd }: Surroundings): ChildProcess =>
  spawn(command, args, { stdio: 'pipe', env: { ...process.env, ...env }, ...(cwd !== undefined && { cwd }) })

/** The end of what it writes to standard error, which is read so that it never blocks. */
function errorsOf(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    text = `${text}${chunk.toString()}`.slice(-KEPT)
  })
  return () => text.trim()
}

/** The exit code; null after a signal. */
async function endOf(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'close')) as [number | null]
  return code
}

function failure(command: readonly string[], code: number | null, said: string): Error {
  const how = code === null ? 'was killed' : `ended with code ${code}`
  return new Error(`${command.join(' ')} ${how}${said === '' ? '' : `: ${said}`}`)
}
