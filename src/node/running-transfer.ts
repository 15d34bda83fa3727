/**
 * What a download is to those who start, watch and stop it, whether it goes by a CID or by a torrent: its state, its
 * work, step after step, and its end, which comes once. What is done in the steps is for the kinds of it to say.
 */
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { ShareRow } from '../store/types.ts'
import type { DownloadPort } from './open-swarms.ts'
import type { SearchInfo } from './types.ts'

/** `checking`: what lies on the disk is read, at the start to see what is there, at the end for the CID. */
export type TransferState = 'resolving' | 'checking' | 'downloading' | 'complete' | 'stopped' | 'failed'

const RUNNING: ReadonlySet<TransferState> = new Set(['resolving', 'checking', 'downloading'])

/** After this long with nobody found, the user is told; the search goes on. */
const NOBODY_AFTER_MS = 30_000

/** Bytes and pieces that are here, out of what is known so far. */
export interface Progress {
  readonly size: number
  readonly have: number
  readonly pieces: { readonly total: number; readonly have: number }
}

export interface TransferWatcher {
  /** @param row the share that has come of a torrent, once it is complete */
  onState(transfer: RunningTransfer, row?: ShareRow): void
  onNotice(transfer: RunningTransfer, notice: ShareError): void
}

export abstract class RunningTransfer {
  readonly root: RootKey
  readonly #watcher: TransferWatcher
  readonly #stopping = new AbortController()
  readonly #settled = Promise.withResolvers<ShareRow>()
  readonly #nobody: NodeJS.Timeout
  #work: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined
  #state: TransferState = 'resolving'
  #error: ShareError | undefined

  constructor(root: RootKey, watcher: TransferWatcher) {
    this.root = root
    this.#watcher = watcher
    this.#settled.promise.catch(() => undefined)
    this.#nobody = setTimeout(() => this.#sayNobody(), NOBODY_AFTER_MS)
  }

  /** Where it was to go; the share's row knows better. */
  abstract get path(): string

  abstract get progress(): Progress

  /** Those that say they have it, whether they take part by now or not. */
  abstract get peers(): ReadonlySet<string>

  /** From now on it goes in file order. */
  abstract stream(): void

  /** Ends when the pieces are on their way, or when that is not to be. */
  protected abstract run(): Promise<void>

  /** All pieces are here: puts the bytes in their place, and says so by `complete`. */
  protected abstract finish(): Promise<void>

  /** Nobody is asked or served by it any more. */
  protected abstract leave(): void

  /** Lets go of what it has open, once its work is done. */
  protected abstract release(): Promise<void>

  /** What to say when it has gone on for long; undefined when somebody was found. */
  protected abstract nobodyFound(): ShareError | undefined

  /** How far the search for peers has come, where it is one by the CID. */
  get search(): SearchInfo | undefined {
    return undefined
  }

  get state(): TransferState {
    return this.#state
  }

  get error(): ShareError | undefined {
    return this.#error
  }

  /** Resolves when the bytes are in place and durable; rejects when the transfer fails or is stopped. */
  get done(): Promise<ShareRow> {
    return this.#settled.promise
  }

  start(): this {
    this.#next(`get ${this.root}`, () => this.run())
    return this
  }

  /** Ends it, resumably. */
  async stop(reason: ShareError): Promise<void> {
    if (this.#isRunning) this.enter('stopped')
    this.#settled.reject(reason)
    await this.#close()
  }

  /** Ends it as failed, resumably. */
  giveUp(error: ShareError): void {
    if (!this.#isRunning) return
    this.#error = error
    this.enter('failed')
    this.#settled.reject(error)
    void this.#close()
  }

  protected get stopping(): AbortSignal {
    return this.#stopping.signal
  }

  protected enter(state: TransferState, row?: ShareRow): void {
    this.#state = state
    this.#watcher.onState(this, row)
  }

  protected complete(row: ShareRow): void {
    clearTimeout(this.#nobody)
    this.enter('complete', row)
    this.#settled.resolve(row)
  }

  protected notice(notice: ShareError): void {
    this.#watcher.onNotice(this, notice)
  }

  /** How the swarm tells its end. */
  protected get endings(): Pick<DownloadPort, 'onComplete' | 'onFailure'> {
    return {
      onComplete: () => this.#next('finish', () => this.finish()),
      onFailure: (error) => this.giveUp(error),
    }
  }

  get #isRunning(): boolean {
    return RUNNING.has(this.#state)
  }

  #next(what: string, step: () => Promise<void>): void {
    this.#work = this.#work
      .then(() => (this.stopping.aborted ? undefined : step()))
      .catch((thrown: unknown) => this.giveUp(ShareError.from(thrown, what)))
  }

  #close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    clearTimeout(this.#nobody)
    this.#stopping.abort(
      new ShareError('INTERRUPTED', 'the download was stopped', 'run the same command again: it resumes'),
    )
    this.leave()
    await this.#work
    await this.release()
  }

  #sayNobody(): void {
    const notice = this.#isRunning ? this.nobodyFound() : undefined
    if (notice !== undefined) this.notice(notice)
  }
}
