/** A thread that answers every message with one, in order; and both ends of that. */
import { extname } from 'node:path'
import { parentPort, Worker } from 'node:worker_threads'

/** A copy of an error on its way to another thread loses its code. */
type Answer<A> = { readonly value: A } | { readonly message: string; readonly code: string | undefined }

/** In the thread: answers each question, or says why it could not. */
export function answering<Q, A>(answer: (question: Q) => A): void {
  parentPort?.on('message', (question: Q) => {
    parentPort?.postMessage(attempted(() => answer(question)))
  })
}

/** In the thread: the answer to the oldest question that has none. What is moved is gone from here. */
export function reply<A>(value: A, moved: readonly ArrayBuffer[]): void {
  const answer: Answer<A> = { value }
  parentPort?.postMessage(answer, moved)
}

function attempted<A>(answer: () => A): Answer<A> {
  try {
    return { value: answer() }
  } catch (thrown) {
    const { message, code } = thrown as NodeJS.ErrnoException
    return { message, code }
  }
}

/** In the thread: moves what it is asked with back to who asked, with the answer. */
export function answeringWith<Q, A>(answer: (question: Q) => A, moved: (answer: A) => ArrayBuffer[]): void {
  parentPort?.on('message', (question: Q) => {
    const value = answer(question)
    reply(value, moved(value))
  })
}

/** The thread of this name beside a module: a source, or what it was built into. */
export const threadBeside = (module: string, name: string): URL =>
  new URL(`${name}${extname(module)}`, module)

export class Calls<Q, A> {
  readonly #worker: Worker
  readonly #waiting: PromiseWithResolvers<A>[] = []
  /** Why there are no more answers. */
  #ended: { readonly reason: unknown } | undefined

  /** It keeps no process alive. */
  constructor(thread: URL) {
    this.#worker = new Worker(thread)
    this.#worker.unref()
    this.#worker.on('message', (answer: Answer<A>) => this.#answered(answer))
    this.#worker.on('error', (error) => this.#end(error))
    this.#worker.on('exit', () => this.#end(new Error('the thread has ended')))
  }

  /** Questions without an answer. */
  get pending(): number {
    return this.#waiting.length
  }

  /** What is moved to the thread is gone from here. */
  async ask(question: Q, moved: readonly ArrayBuffer[] = []): Promise<A> {
    if (this.#ended !== undefined) throw this.#ended.reason
    const waiting = Promise.withResolvers<A>()
    this.#waiting.push(waiting)
    this.#worker.postMessage(question, moved)
    return waiting.promise
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #answered(answer: Answer<A>): void {
    const waiting = this.#waiting.shift()
    if ('value' in answer) waiting?.resolve(answer.value)
    else waiting?.reject(Object.assign(new Error(answer.message), { code: answer.code }))
  }

  #end(reason: unknown): void {
    this.#ended ??= { reason }
    for (const waiting of this.#waiting.splice(0)) waiting.reject(reason)
  }
}
