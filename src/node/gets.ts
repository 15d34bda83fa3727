/** `get`: from a target to the files where they are wanted, by the CID, by the torrent, or by what is here already. */
import { basename, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import type { ShareRow, Store } from '../store/types.ts'
import { placeFor } from './place.ts'
import { type Reading, targetOf } from './reading.ts'
import type { ShareTorrents } from './share-torrents.ts'
import type { Shares } from './shares.ts'
import { parseTarget } from './target.ts'
import { askTorrent } from './torrent-gets.ts'
import { type TorrentTarget, torrentBesideCid, torrentTarget } from './torrent-target.ts'
import type { TorrentRequest } from './torrent-transfer.ts'
import type { TorrentWire } from './torrent-wire.ts'
import type { TransferRequest } from './transfer.ts'
import type * as Api from './types.ts'

/** A link's CID is looked for this long before its torrent is fetched alone. */
const PATIENCE_WITH_CID_MS = 10_000

/** How often a running `get` reports. */
const REPORT_MS = 500

export interface GetsContext {
  readonly store: Store
  readonly shares: Shares
  readonly shareTorrents: ShareTorrents
  readonly torrents: TorrentWire
  readonly reading: Reading
  readonly log: (line: string) => void
}

export class Gets {
  readonly #context: GetsContext

  constructor(context: GetsContext) {
    this.#context = context
  }

  async get(text: string, options: Api.GetOptions = {}): Promise<Api.ShareInfo> {
    const torrent = torrentTarget(text)
    if (torrent !== undefined) return this.#getTorrent(torrent, options)
    const { output, signal, stream = false } = options
    const target = targetOf(text, options.peers)
    const root = await this.#context.reading.resolve(target, signal)
    const key = rootKeyOf(root)
    const here = this.#context.store.share(key)
    // a directory that an earlier get made is the place itself, not a place to put things into
    const again = here !== undefined && output !== undefined && resolve(output) === here.path
    const path = again ? here.path : await placeFor(output, target.name ?? here?.name ?? key)
    if (here?.phase === 'complete' && here.damaged.length === 0) {
      // the bytes of a copied share lie in the store, whatever lies where they came from
      if (target.magnet !== undefined) void this.#context.shareTorrents.meet(key, target.magnet)
      if (here.copied || here.path !== path) await this.#context.reading.copyOut(target, root, path, signal)
      // a copy beside the share is its owner's; where it lies is what was asked for
      return { ...this.#context.shares.described(key), path }
    }
    if (here !== undefined && here.phase === 'complete') await this.#context.shares.remove(key)
    else if (here !== undefined && here.path !== path) {
      throw new ShareError(
        'CONFLICT',
        `${key} is on its way to ${here.path} already`,
        'wait for it, or `share rm` it first',
      )
    }
    const request = {
      root,
      // a torrent's name is a part of what it is, wherever it lies
      name: (target.magnet === undefined ? undefined : target.name) ?? basename(path),
      path,
      peers: target.peers,
      stream,
      ...(target.magnet !== undefined && { magnet: target.magnet }),
    }
    const beside = torrentBesideCid(text)
    return beside === undefined
      ? this.#reporting(key, options, (report) => this.#context.shares.complete(request, signal, report))
      : this.#getEither(request, beside, options)
  }

  /** By the CID, which BitTorrent peers help with; by the torrent alone, where nobody has the root and they have the torrent. */
  async #getEither(
    request: TransferRequest,
    torrent: TorrentTarget,
    options: Api.GetOptions,
  ): Promise<Api.ShareInfo> {
    const key = rootKeyOf(request.root)
    const changing = new AbortController()
    const ended = new AbortController()
    const { signal = ended.signal } = options
    const either = AbortSignal.any([signal, changing.signal])
    void this.#onlyTorrent(key, ended.signal).then((only) => {
      if (only) changing.abort(new ShareError('INTERRUPTED', 'nobody has the CID', 'the torrent is fetched'))
    })
    try {
      return await this.#reporting(key, options, (report) =>
        this.#context.shares.complete(request, either, report),
      )
    } catch (thrown) {
      if (!changing.signal.aborted || signal.aborted) throw thrown
    } finally {
      ended.abort()
    }
    await this.#context.shares.remove(key)
    this.#context.log(`${key}: nobody has it; the torrent that the link names beside it is fetched`)
    const peers = options.peers?.filter((address) => !address.startsWith('/')) ?? []
    return this.#getTorrent(torrent, { ...options, peers })
  }

  /** Resolves with whether, some time on, BitTorrent peers have told what the torrent is and nobody has given the root. */
  async #onlyTorrent(root: RootKey, ended: AbortSignal): Promise<boolean> {
    try {
      await sleep(PATIENCE_WITH_CID_MS, undefined, { signal: ended, ref: false })
      await this.#context.torrents.of(root)[0]?.metadata(ended)
      return (
        this.#context.torrents.of(root).length > 0 &&
        this.#context.shares.describe(root)?.state === 'resolving'
      )
    } catch {
      return false
    }
  }

  /** What has come is a share of its own CID. */
  async #getTorrent(target: TorrentTarget, options: Api.GetOptions): Promise<Api.ShareInfo> {
    const { signal } = options
    const { root, request, share } = await askTorrent(this.#context.store, target, options)
    if (share !== undefined && share.damaged.length === 0) return this.#given(share, request, signal)
    const info = await this.#reporting(root, options, (report) =>
      this.#context.shares.completeTorrent(root, request, signal, report),
    )
    if (info.mismatch === undefined) return info
    const hint = `what the torrent holds is here, as ${info.path}; ask whoever made the link which of the two is meant`
    throw new ShareError('VERIFICATION_FAILED', info.mismatch, hint)
  }

  /** A share that came from the torrent before; elsewhere it is copied. */
  async #given(
    share: ShareRow,
    { origin, path }: TorrentRequest,
    signal: AbortSignal | undefined,
  ): Promise<Api.ShareInfo> {
    const wanted = origin.into === undefined ? path : join(origin.into, basename(share.path))
    if (wanted !== share.path) {
      const target = parseTarget(share.root)
      await this.#context.reading.copyOut(target, target.root, wanted, signal)
    }
    return { ...this.#context.shares.described(share.root), path: wanted }
  }

  /** Tells of a download while it runs. */
  async #reporting(
    key: RootKey,
    { onProgress }: Api.GetOptions,
    work: (report: (notice?: ShareError) => void) => Promise<ShareRow>,
  ): Promise<Api.ShareInfo> {
    const report = (notice?: ShareError): void => {
      const share = this.#context.shares.describe(key)
      if (share !== undefined)
        onProgress?.({ share, ...(notice !== undefined && { notice: notice.toJSON() }) })
    }
    const reporting = setInterval(report, REPORT_MS)
    try {
      const { root } = await work(report)
      report()
      return this.#context.shares.described(root)
    } finally {
      clearInterval(reporting)
    }
  }
}
