/**
 * The life of every root on this node: which transfer runs for it, who is banned from it, whether it is
 * announced, and the steps between downloading, seeding, paused and damaged.
 */
import { base32 } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { parseCid, rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { PeerKey, RootKey } from '../core/types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import type { Readers } from './readers.ts'
import type { SearchContext } from './search.ts'
import { describeShare } from './status.ts'
import type { Traffic } from './traffic.ts'
import { Transfer, type TransferRequest } from './transfer.ts'
import type { BannedPeer, ShareInfo } from './types.ts'

/** File roots announced beside the root of a directory; each costs a lookup, and the root alone finds the tree. */
const MOST_FILE_ROOTS = 1_000

export interface SharesContext extends SearchContext {
  readonly store: Store
  readonly readers: Readers
  readonly traffic: Traffic
  /** The peer has the root. */
  join(root: RootKey, peer: PeerKey): void
  addressOf(peer: string): string | undefined
  onChange(root: RootKey): void
  readonly log: (line: string) => void
}

type NoticeListener = (notice: ShareError) => void

export class Shares {
  readonly #context: SharesContext
  readonly #transfers = new Map<RootKey, Transfer>()
  readonly #banned = new Map<RootKey, BannedPeer[]>()
  readonly #notices = new Map<RootKey, Set<NoticeListener>>()
  /** How many `get`s wait for each transfer; the last one that gives up pauses it. */
  readonly #waiting = new Map<RootKey, number>()

  constructor(context: SharesContext) {
    this.#context = context
    context.store.onDamage((root) => this.#onDamage(root))
  }

  /** Takes up what the last run left: unfinished downloads go on, complete shares are announced. */
  resumeAll(): void {
    for (const row of this.#context.store.shares()) {
      if (row.paused || row.damaged.length > 0) continue
      if (row.phase === 'complete') this.announce(row.root)
      else this.#start(row.root, requestOf(row))
    }
  }

  async stop(): Promise<void> {
    const reason = new ShareError(
      'INTERRUPTED',
      'the daemon was stopped',
      'run the same command again: it resumes',
    )
    await Promise.all([...this.#transfers.values()].map((transfer) => transfer.stop(reason)))
    this.#transfers.clear()
  }

  // --- looking

  /** The row that a person means by a CID. @throws ShareError BAD_CID, NOT_FOUND */
  find(text: string): ShareRow {
    const root = rootKeyOf(parseCid(text))
    const row = this.#context.store.share(root)
    if (row === undefined)
      throw new ShareError('NOT_FOUND', `there is no share ${text} here`, '`share status` lists them')
    return row
  }

  describe(root: RootKey): ShareInfo | undefined {
    const { store, driver, traffic, routing, addressOf } = this.#context
    const row = store.share(root)
    if (row === undefined) return undefined
    return describeShare({
      row,
      transfer: this.#transfers.get(root),
      members: driver.peers(root),
      traffic,
      banned: this.#banned.get(root) ?? [],
      announced: routing.announced(cidOf(root)),
      addressOf,
    })
  }

  all(): ShareInfo[] {
    return this.#context.store.shares().flatMap((row) => this.describe(row.root) ?? [])
  }

  // --- downloading

  /**
   * Waits until the root is complete; starts or resumes its transfer as needed. Giving up by the signal
   * pauses the transfer, unless somebody else waits for it too.
   */
  async complete(
    request: TransferRequest,
    signal: AbortSignal | undefined,
    onNotice: NoticeListener,
  ): Promise<ShareRow> {
    const root = rootKeyOf(request.root)
    const row = this.#context.store.share(root)
    if (row?.paused === true) await this.#context.store.update(root, { paused: false })
    const running = this.#transfers.get(root)
    const transfer =
      running !== undefined && running.state !== 'failed' ? running : this.#start(root, request)
    if (request.stream === true) transfer.stream()
    const listeners = this.#notices.get(root) ?? new Set()
    this.#notices.set(root, listeners.add(onNotice))
    this.#waiting.set(root, (this.#waiting.get(root) ?? 0) + 1)
    try {
      return await orAborted(transfer.done, signal)
    } catch (thrown) {
      if (givenUp(signal) && this.#waiting.get(root) === 1) await this.pause(root)
      throw thrown
    } finally {
      listeners.delete(onNotice)
      this.#waiting.set(root, (this.#waiting.get(root) ?? 1) - 1)
    }
  }

  async pause(root: RootKey): Promise<void> {
    const { store, driver, routing } = this.#context
    const progress = this.#transfers.get(root)?.progress
    const kept = progress && { keptBytes: progress.have, keptPieces: progress.pieces.have }
    if (store.share(root) !== undefined) await store.update(root, { paused: true, ...kept })
    await this.#stopTransfer(
      root,
      new ShareError('INTERRUPTED', 'the download was paused', `\`share resume ${root}\` goes on`),
    )
    driver.close(root)
    await routing.withdraw(cidOf(root))
    this.#context.onChange(root)
  }

  async resume(root: RootKey): Promise<void> {
    await this.#context.store.update(root, { paused: false })
    const row = this.#context.store.share(root)
    if (row === undefined) return
    if (row.phase === 'complete') this.announce(root)
    else {
      await this.#clearFailed(root)
      if (!this.#transfers.has(root)) this.#start(root, requestOf(row))
    }
    this.#context.onChange(root)
  }

  async remove(root: RootKey): Promise<void> {
    const { store, driver, routing, traffic } = this.#context
    await this.#stopTransfer(
      root,
      new ShareError('INTERRUPTED', 'the share was removed', 'get it again if that was a mistake'),
    )
    driver.close(root)
    traffic.forget(root)
    this.#banned.delete(root)
    await routing.withdraw(cidOf(root))
    await store.remove(root)
    this.#context.onChange(root)
  }

  // --- announcing

  /** Tells peers that wait for it, and the DHTs, in the background: the root at once, then the files below it. */
  announce(root: RootKey): void {
    void Promise.all([this.#context.bitswap.onServed(cidOf(root)), this.#announceAll(root)]).catch(
      (thrown: unknown) => this.#context.log(`announce ${root}: ${ShareError.from(thrown).message}`),
    )
  }

  async #announceAll(root: RootKey): Promise<void> {
    const { routing, store } = this.#context
    await routing.announce(cidOf(root))
    this.#context.onChange(root)
    // what is one file is its own root
    if ((store.share(root)?.entries ?? 0) <= 1) return
    const manifest = await store.manifest(root)
    const files = manifest?.entries.filter((entry) => entry.kind === 'file' && entry.path !== '') ?? []
    for (const file of files.slice(0, MOST_FILE_ROOTS)) {
      if (store.share(root)?.phase !== 'complete' || file.kind !== 'file') return
      await routing.announce(file.cid)
    }
  }

  ban(root: RootKey, banned: BannedPeer): void {
    this.#banned.set(root, [...(this.#banned.get(root) ?? []), banned])
    this.#context.onChange(root)
  }

  #start(root: RootKey, request: TransferRequest): Transfer {
    const transfer = new Transfer(
      {
        ...this.#context,
        onFirstPiece: () => this.announce(root),
        onState: (changed) => this.#onState(changed),
        onNotice: (_, notice) => {
          for (const listener of this.#notices.get(root) ?? []) listener(notice)
        },
      },
      root,
      request,
    )
    this.#transfers.set(root, transfer)
    return transfer.start()
  }

  async #stopTransfer(root: RootKey, reason: ShareError): Promise<void> {
    const transfer = this.#transfers.get(root)
    this.#transfers.delete(root)
    await transfer?.stop(reason)
  }

  /** A failed transfer stands in the status until somebody tries again. */
  async #clearFailed(root: RootKey): Promise<void> {
    const transfer = this.#transfers.get(root)
    if (transfer?.state === 'failed' && transfer.error !== undefined)
      await this.#stopTransfer(root, transfer.error)
  }

  #onState(transfer: Transfer): void {
    if (transfer.state === 'complete') {
      this.#transfers.delete(transfer.root)
      this.announce(transfer.root)
    }
    if (transfer.error !== undefined) this.#context.log(`${transfer.root}: ${transfer.error.message}`)
    this.#context.onChange(transfer.root)
  }

  #onDamage(root: RootKey): void {
    const damaged = (this.#context.store.share(root)?.damaged.length ?? 0) > 0
    this.#context.driver.close(root)
    if (damaged) void this.#context.routing.withdraw(cidOf(root))
    else this.announce(root)
    this.#context.onChange(root)
  }
}

const cidOf = (root: RootKey): CID => CID.parse(root, base32)

/** Whoever waited left; a daemon that stops goes on with the download when it runs again. */
function givenUp(signal: AbortSignal | undefined): boolean {
  if (signal?.aborted !== true) return false
  return !(signal.reason instanceof ShareError && signal.reason.code === 'DAEMON_UNREACHABLE')
}

function requestOf(row: ShareRow): TransferRequest {
  return { root: cidOf(row.root), name: row.name, path: row.path, peers: row.peers }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(ShareError.from(signal.reason, 'go on'))
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
