/**
 * The thread of small files, run in this thread: only so does what it does to files meet a disk that is made to fail here. Its
 * module is the real one, and its messages are copied as between threads; others become threads.
 */
import { EventEmitter } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import threads from 'node:worker_threads'

const { Worker } = threads
const THREAD = new URL('../../../src/store/small-files-thread.ts', import.meta.url).href

/** What the module takes for its end of the channel. */
const port = Object.assign(new EventEmitter(), {
  postMessage: (reply: unknown, transfer: ArrayBuffer[] = []) => current?.deliver(reply, transfer),
})

let current: InsideWorker | undefined

class InsideWorker extends EventEmitter {
  readonly #loaded = import(THREAD)

  constructor() {
    super()
    current = this
  }

  postMessage(question: unknown, transfer: ArrayBuffer[] = []): void {
    const copy: unknown = structuredClone(question, { transfer })
    void this.#loaded.then(() => setImmediate(() => port.emit('message', copy)))
  }

  deliver(reply: unknown, transfer: ArrayBuffer[]): void {
    const copy: unknown = structuredClone(reply, { transfer })
    setImmediate(() => this.emit('message', copy))
  }

  unref(): void {}

  async terminate(): Promise<void> {
    this.removeAllListeners()
    if (current === this) current = undefined
  }
}

/** From now on, in this process. */
export function runThreadInside(): void {
  const Either = class {
    constructor(url: URL) {
      // biome-ignore lint/correctness/noConstructorReturn: it stands for two classes
      return url.href === THREAD ? new InsideWorker() : new Worker(url)
    }
  }
  Object.assign(threads, { Worker: Either, parentPort: port })
  syncBuiltinESMExports()
}
