/**
 * The life of every root on this node: which transfer runs for it, who is banned from it, whether it is
 * announced, and the steps between downloading, seeding, paused and damaged.
 */
import type { Manifest } from '../content/manifest.ts'
import { cidOf, isTorrentRoot, parseCid, rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { PeerKey, RootKey } from '../core/types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { parseInfoHash } from '../torrent/torrent-root.ts'
import { Announcements } from './announcements.ts'
import { DiskWatch, type Watched } from './disk-watch.ts'
import type { Readers } from './readers.ts'
import type { RunningTransfer } from './running-transfer.ts'
import type { SearchContext } from './search.ts'
import { describeShare } from './status.ts'
import { requestOfRow, rowOfTorrent } from './torrent-gets.ts'
import { type TorrentRequest, TorrentTransfer } from './torrent-transfer.ts'
import type { TorrentWire } from './torrent-wire.ts'
import type { Traffic } from './traffic.ts'
import { Transfer, type TransferRequest } from './transfer.ts'
import type { BannedPeer, DiscoveryInfo, ShareInfo } from './types.ts'
import type { WebSeeds } from './web-seeds.ts'

export interface SharesContext extends SearchContext {
  readonly store: Store
  readonly readers: Readers
  readonly traffic: Traffic
  /** The peer has the root. */
  join(root: RootKey, peer: PeerKey): void
  joinTorrent(root: RootKey, link: string, manifest: Promise<Manifest>, signal: AbortSignal): Promise<void>
  checkTorrent(row: ShareRow): Promise<void>
  readonly webSeeds: WebSeeds
  readonly torrentWire: TorrentWire
  addressOf(peer: string): string | undefined
  /** How its BitTorrent peers are found. */
  discoveryOf(root: RootKey): readonly DiscoveryInfo[]
  onChange(root: RootKey): void
  readonly log: (line: string) => void
}

type NoticeListener = (notice: ShareError) => void

interface Waiting {
  readonly request: { readonly stream?: boolean }
  readonly signal: AbortSignal | undefined
  readonly onNotice: NoticeListener
}

export class Shares {
  readonly #context: SharesContext
  readonly #transfers = new Map<RootKey, RunningTransfer>()
  readonly #banned = new Map<RootKey, BannedPeer[]>()
  readonly #notices = new Map<RootKey, Set<NoticeListener>>()
  /** How many `get`s wait for each transfer; the last one that gives up pauses it. */
  readonly #waiting = new Map<RootKey, number>()
  readonly #announcements: Announcements
  readonly #disk: DiskWatch

  constructor(context: SharesContext) {
    this.#context = context
    this.#announcements = new Announcements(context)
    context.store.onDamage((root) => this.#onDamage(root))
    this.#disk = new DiskWatch({
      downloads: () => [...this.#transfers.values()].map((transfer) => this.#watched(transfer)),
      starve: (root, error) => this.#transfers.get(root)?.giveUp(error),
      resume: (root) => this.resume(root),
      log: context.log,
    })
  }

  /** Takes up what the last run left: unfinished downloads go on, complete shares are announced. */
  resumeAll(): void {
    for (const row of this.#context.store.shares()) {
      if (row.paused || row.damaged.length > 0) continue
      if (row.phase === 'complete' && !isTorrentRoot(row.root)) this.announce(row.root)
      else this.#goOn(row)
    }
  }

  async stop(): Promise<void> {
    this.#disk.stop()
    const reason = new ShareError(
      'INTERRUPTED',
      'the daemon was stopped',
      'run the same command again: it resumes',
    )
    await Promise.all([...this.#transfers.values()].map((transfer) => transfer.stop(reason)))
    this.#transfers.clear()
  }

  // --- looking

  /** The row that a person means by a CID, or an info hash. @throws ShareError BAD_CID, NOT_FOUND */
  find(text: string): ShareRow {
    const hashes = parseInfoHash(text)
    const { store } = this.#context
    const row = hashes === undefined ? store.share(rootKeyOf(parseCid(text))) : rowOfTorrent(store, hashes)
    if (row === undefined)
      throw new ShareError('NOT_FOUND', `there is no share ${text} here`, '`share status` lists them')
    return row
  }

  describe(root: RootKey): ShareInfo | undefined {
    const { store, driver, traffic, routing, addressOf, discoveryOf, webSeeds } = this.#context
    const row = store.share(root)
    if (row === undefined) return undefined
    return describeShare({
      row,
      transfer: this.#transfers.get(root),
      members: driver.peers(root),
      traffic,
      banned: this.#banned.get(root) ?? [],
      announced: routing.announced(cidOf(root)),
      discovery: discoveryOf(root),
      addressOf,
      problemOf: (of, peer) => webSeeds.problem(of, peer),
    })
  }

  /** @throws ShareError NOT_FOUND: it was removed meanwhile */
  described(root: RootKey): ShareInfo {
    const share = this.describe(root)
    if (share === undefined)
      throw new ShareError('NOT_FOUND', `the share ${root} is gone`, 'it was removed meanwhile')
    return share
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
    return this.#complete(root, () => this.#start(root, request), { request, signal, onNotice })
  }

  /** The same, of a torrent; what has come of it is a share of another root. */
  async completeTorrent(
    root: RootKey,
    request: TorrentRequest,
    signal: AbortSignal | undefined,
    onNotice: NoticeListener,
  ): Promise<ShareRow> {
    return this.#complete(root, () => this.#startTorrent(root, request), { request, signal, onNotice })
  }

  async #complete(
    root: RootKey,
    start: () => RunningTransfer,
    { request, signal, onNotice }: Waiting,
  ): Promise<ShareRow> {
    const row = this.#context.store.share(root)
    if (row?.paused === true) await this.#context.store.update(root, { paused: false })
    const running = this.#transfers.get(root)
    const transfer = running !== undefined && running.state !== 'failed' ? running : start()
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
    const { store, driver } = this.#context
    const progress = this.#transfers.get(root)?.progress
    const kept = progress && { keptBytes: progress.have, keptPieces: progress.pieces.have }
    if (store.share(root) !== undefined) await store.update(root, { paused: true, ...kept })
    await this.#stopTransfer(
      root,
      new ShareError('INTERRUPTED', 'the download was paused', `\`share resume ${root}\` goes on`),
    )
    driver.close(root)
    await this.#announcements.withdraw(root)
    this.#context.onChange(root)
  }

  async resume(root: RootKey): Promise<void> {
    await this.#context.store.update(root, { paused: false })
    const row = this.#context.store.share(root)
    if (row === undefined) return
    if (row.phase === 'complete' && !isTorrentRoot(root)) this.announce(root)
    else {
      await this.#clearFailed(root)
      if (!this.#transfers.has(root)) this.#goOn(row)
    }
    this.#context.onChange(root)
  }

  async remove(root: RootKey): Promise<void> {
    const { store, driver, traffic } = this.#context
    await this.#stopTransfer(
      root,
      new ShareError('INTERRUPTED', 'the share was removed', 'get it again if that was a mistake'),
    )
    driver.close(root)
    traffic.forget(root)
    this.#banned.delete(root)
    await this.#announcements.withdraw(root)
    await store.remove(root)
    this.#context.onChange(root)
  }

  // --- announcing

  /** Tells peers that wait for it, and the DHTs, in the background: the root at once, then the files below it. */
  announce(root: RootKey): void {
    const { bitswap, log, onChange } = this.#context
    const announced = this.#announcements.announce(root, () => onChange(root))
    void Promise.all([bitswap.onServed(cidOf(root)), announced]).catch((thrown: unknown) =>
      log(`announce ${root}: ${ShareError.from(thrown).message}`),
    )
  }

  ban(root: RootKey, banned: BannedPeer): void {
    this.#banned.set(root, [...(this.#banned.get(root) ?? []), banned])
    this.#context.onChange(root)
  }

  /** A download of an earlier run. */
  #goOn(row: ShareRow): void {
    const { torrent } = row
    if (torrent !== undefined && isTorrentRoot(row.root))
      this.#startTorrent(row.root, requestOfRow({ ...row, torrent }))
    else this.#start(row.root, requestOf(row))
  }

  #start(root: RootKey, request: TransferRequest): Transfer {
    const context = { ...this.#context, ...this.#reports(root), onFirstPiece: () => this.announce(root) }
    const transfer = new Transfer(context, root, request)
    this.#transfers.set(root, transfer)
    return transfer.start()
  }

  #startTorrent(root: RootKey, request: TorrentRequest): TorrentTransfer {
    const forget = (part: RootKey): Promise<void> => this.remove(part)
    const transfer = new TorrentTransfer({ ...this.#context, ...this.#reports(root), forget }, root, request)
    this.#transfers.set(root, transfer)
    return transfer.start()
  }

  #reports(root: RootKey): {
    onState(transfer: RunningTransfer, row?: ShareRow): void
    onNotice(transfer: RunningTransfer, notice: ShareError): void
  } {
    return {
      onState: (changed, row) => this.#onState(changed, row),
      onNotice: (_, notice) => {
        this.#context.log(`${root}: ${notice.message}`)
        for (const listener of this.#notices.get(root) ?? []) listener(notice)
      },
    }
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

  /** @param row the share that came of it, where its root is another one */
  #onState(transfer: RunningTransfer, row?: ShareRow): void {
    if (transfer.state === 'complete') {
      this.#transfers.delete(transfer.root)
      if (row === undefined || !row.paused) this.announce(row?.root ?? transfer.root)
      if (row !== undefined) this.#context.onChange(row.root)
    }
    if (transfer.error !== undefined) this.#context.log(`${transfer.root}: ${transfer.error.message}`)
    this.#context.onChange(transfer.root)
  }

  #watched({ root, path, state, error, progress }: RunningTransfer): Watched {
    const row = this.#context.store.share(root)
    return {
      root,
      path: row?.path ?? path,
      starved: state === 'failed' && error?.code === 'DISK_FULL',
      lacks: Math.max(0, (row?.size ?? 0) - progress.have),
    }
  }

  #onDamage(root: RootKey): void {
    const damaged = (this.#context.store.share(root)?.damaged.length ?? 0) > 0
    this.#context.driver.close(root)
    if (damaged) void this.#announcements.withdraw(root)
    else this.announce(root)
    this.#context.onChange(root)
  }
}

/** Whoever waited left; a daemon that stops goes on with the download when it runs again. */
function givenUp(signal: AbortSignal | undefined): boolean {
  if (signal?.aborted !== true) return false
  return !(signal.reason instanceof ShareError && signal.reason.code === 'DAEMON_UNREACHABLE')
}

function requestOf(row: ShareRow): TransferRequest {
  const { name, path, peers, magnet } = row
  return { root: cidOf(row.root), name, path, peers, ...(magnet !== undefined && { magnet }) }
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
