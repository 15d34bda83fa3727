/** Progress on stderr: a bar where that is a terminal, an object a line with `--json`, else only what is worth a line. */
import type { SingleBar } from 'cli-progress'
import { formatBytes, formatDuration, formatRate } from '../core/units.ts'

export interface Progress {
  /** `rate` in bytes a second; `detail` is printed behind the amounts. */
  update(state: { done: number; total: number; rate: number; detail: string }): void
  /** A line that stays, above the bar. */
  note(text: string): void
  stop(): void
}

export async function openProgress(options: { quiet: boolean; json: boolean }): Promise<Progress> {
  if (options.quiet) return { update: () => {}, note: () => {}, stop: () => {} }
  if (options.json) return new Lines()
  const note = (text: string): void => void process.stderr.write(`${text}\n`)
  if (process.stderr.isTTY !== true) return { update: () => {}, note, stop: () => {} }
  const { SingleBar } = await import('cli-progress')
  return new Bar(
    () =>
      new SingleBar({
        format: '{bar} {percentage} %  {line}',
        barsize: 24,
        barCompleteChar: '=',
        barIncompleteChar: '.',
        clearOnComplete: true,
        hideCursor: true,
        stream: process.stderr,
      }),
    note,
  )
}

/** Between two lines of progress, in ms. */
const LINE_EVERY = 500

/** `{"progress":{"done":1048576,"total":4194304,"rate":1048576}}` */
class Lines implements Progress {
  #last = Number.NEGATIVE_INFINITY

  update({ done, total, rate }: { done: number; total: number; rate: number }): void {
    const now = performance.now()
    if (now - this.#last < LINE_EVERY) return
    this.#last = now
    this.note(JSON.stringify({ progress: { done, total, rate: Math.round(rate) } }))
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  stop(): void {}
}

class Bar implements Progress {
  readonly #create: () => SingleBar
  readonly #print: (text: string) => void
  #bar: SingleBar | undefined

  constructor(create: () => SingleBar, print: (text: string) => void) {
    this.#create = create
    this.#print = print
  }

  update(state: { done: number; total: number; rate: number; detail: string }): void {
    // a share that is still being resolved has no size to measure by
    if (state.total === 0) return
    const line = progressLine(state)
    if (this.#bar === undefined) {
      this.#bar = this.#create()
      this.#bar.start(state.total, state.done, { line })
    } else {
      this.#bar.setTotal(state.total)
      this.#bar.update(state.done, { line })
    }
  }

  note(text: string): void {
    this.stop()
    this.#print(text)
  }

  stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
  }
}

/** `12 MB of 40 MB  3.4 MB/s  3 peers  8s left` */
export function progressLine(state: { done: number; total: number; rate: number; detail: string }): string {
  const left = state.rate > 0 ? `${formatDuration((state.total - state.done) / state.rate)} left` : ''
  const amounts = `${formatBytes(state.done)} of ${formatBytes(state.total)}`
  return [amounts, formatRate(state.rate), state.detail, left].filter((part) => part !== '').join('  ')
}
