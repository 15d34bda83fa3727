/** The API's client: typed calls on the daemon of a home. Every error is a ShareError, as the daemon threw it. */

import { ShareError } from '../core/errors.ts'
import type { PageInfo } from '../gateway/pages.ts'
import type {
  AddProgress,
  CheckResult,
  ConnectedPeer,
  GcResult,
  GetProgress,
  HashProgress,
  ImportResult,
  ListEntry,
  NodeIdentity,
  Rates,
  ShareInfo,
  TorrentSummary,
  VerifyProgress,
  VerifyResult,
} from '../node/types.ts'
import type {
  AddRequest,
  CatRequest,
  DaemonInfo,
  ExportRequest,
  GetRequest,
  ImportRequest,
  LinkRequest,
  PageRequest,
  TorrentRequest,
} from './api.ts'
import { broken, type Call, open, readBytes, readJson, type Work } from './http.ts'
import { socketPath } from './socket-path.ts'
import { decodeEvents, type ServerEvent } from './sse.ts'

type HashWork = Work & { onProgress?: (progress: HashProgress) => void }

export class DaemonClient {
  readonly #path: string

  /** For the daemon of this home, which need not run. */
  constructor(home: string) {
    this.#path = socketPath(home)
  }

  /** @throws ShareError DAEMON_UNREACHABLE */
  info(work?: Work): Promise<DaemonInfo> {
    return this.#json({ path: '/v1/daemon', ...work })
  }

  /** Asks the daemon to stop; resolves when its process has ended. */
  async stop(work?: Work): Promise<void> {
    const answer = await open(this.#path, { path: '/v1/daemon/stop', body: {}, ...work })
    try {
      for await (const _ of answer);
    } catch {
      work?.signal?.throwIfAborted()
    }
  }

  id(work?: Work): Promise<NodeIdentity> {
    return this.#json({ path: '/v1/id', ...work })
  }

  doctor(work: Work & { onCheck: (check: CheckResult) => void }): Promise<void> {
    return this.#events({ path: '/v1/doctor', body: {}, ...work }, ({ event, data }) => {
      if (event === 'check') work.onCheck(data as CheckResult)
    })
  }

  add(
    request: AddRequest,
    work: Work & { onProgress?: (progress: AddProgress) => void },
  ): Promise<ShareInfo> {
    return this.#events({ path: '/v1/add', body: request, ...work }, ({ event, data }) => {
      if (event === 'progress') work.onProgress?.(data as AddProgress)
    })
  }

  get(
    request: GetRequest,
    work: Work & { onProgress?: (progress: GetProgress) => void },
  ): Promise<ShareInfo> {
    return this.#events({ path: '/v1/get', body: request, ...work }, ({ event, data }) => {
      if (event === 'progress') work.onProgress?.(data as GetProgress)
    })
  }

  /** A file's bytes; throws where the stream breaks, so that an end is the end. */
  async *cat(request: CatRequest, work: Work): AsyncGenerator<Uint8Array> {
    yield* readBytes(await open(this.#path, { path: '/v1/cat', body: request, ...work }), work)
  }

  /** A CAR file's bytes; throws where the stream breaks, so that an end is the end. */
  async *export(request: ExportRequest, work: Work): AsyncGenerator<Uint8Array> {
    yield* readBytes(await open(this.#path, { path: '/v1/export', body: request, ...work }), work)
  }

  import(
    request: ImportRequest,
    work: Work & { onProgress?: (progress: VerifyProgress) => void },
  ): Promise<ImportResult> {
    return this.#events({ path: '/v1/import', body: request, ...work }, ({ event, data }) => {
      if (event === 'progress') work.onProgress?.(data as VerifyProgress)
    })
  }

  ls(target: string, work: Work & { onEntry: (entry: ListEntry) => void }): Promise<void> {
    return this.#events({ path: '/v1/ls', body: { target }, ...work }, ({ event, data }) => {
      if (event === 'entry') work.onEntry(data as ListEntry)
    })
  }

  /** Verifies one share, or without a CID all of them, one result each. */
  verify(
    cid: string | undefined,
    work: Work & {
      onResult: (result: VerifyResult) => void
      onProgress?: (progress: VerifyProgress) => void
    },
  ): Promise<void> {
    return this.#events({ path: '/v1/verify', body: { cid }, ...work }, ({ event, data }) => {
      if (event === 'progress') work.onProgress?.(data as VerifyProgress)
      if (event === 'result') work.onResult(data as VerifyResult)
    })
  }

  status(work?: Work): Promise<{ shares: ShareInfo[] }> {
    return this.#json({ path: '/v1/shares', ...work })
  }

  /** The status now and whenever it changes, until the signal aborts. */
  watch(work: Work & { onStatus: (status: { shares: ShareInfo[] }) => void }): Promise<void> {
    return this.#events({ path: '/v1/shares/watch', ...work }, ({ event, data }) => {
      if (event === 'shares') work.onStatus(data as { shares: ShareInfo[] })
    })
  }

  link(request: LinkRequest, work?: HashWork): Promise<{ link: string }> {
    return this.#hashing({ path: '/v1/link', body: request, ...work }, work)
  }

  torrent(request: TorrentRequest, work?: HashWork): Promise<TorrentSummary> {
    return this.#hashing({ path: '/v1/torrent', body: request, ...work }, work)
  }

  /** The .torrent file's bytes. */
  async *torrentFile(request: TorrentRequest, work: Work): AsyncGenerator<Uint8Array> {
    yield* readBytes(await open(this.#path, { path: '/v1/torrent/file', body: request, ...work }), work)
  }

  page(request: PageRequest, work?: Work): Promise<PageInfo> {
    return this.#json({ path: '/v1/page', body: request, ...work })
  }

  pages(work?: Work): Promise<{ pages: PageInfo[] }> {
    return this.#json({ path: '/v1/pages', ...work })
  }

  async revokePage(cid: string, work?: Work): Promise<void> {
    await this.#json({ path: '/v1/page/revoke', body: { cid }, ...work })
  }

  async rm(cid: string, work?: Work): Promise<void> {
    await this.#json({ path: '/v1/rm', body: { cid }, ...work })
  }

  async pause(cid: string, work?: Work): Promise<void> {
    await this.#json({ path: '/v1/pause', body: { cid }, ...work })
  }

  async resume(cid: string, work?: Work): Promise<void> {
    await this.#json({ path: '/v1/resume', body: { cid }, ...work })
  }

  /** The share's limits as they are then. */
  limit(cid: string, rates: Partial<Rates>, work?: Work): Promise<{ limits: Rates }> {
    return this.#json({ path: '/v1/limit', body: { cid, ...rates }, ...work })
  }

  async limitAll(rates: Partial<Rates>, work?: Work): Promise<void> {
    await this.#json({ path: '/v1/limit', body: rates, ...work })
  }

  gc(work?: Work): Promise<GcResult> {
    return this.#json({ path: '/v1/gc', body: {}, ...work })
  }

  peers(work?: Work): Promise<{ peers: ConnectedPeer[] }> {
    return this.#json({ path: '/v1/peers', ...work })
  }

  connect(address: string, work?: Work): Promise<ConnectedPeer> {
    return this.#json({ path: '/v1/peers/connect', body: { address }, ...work })
  }

  #hashing<T>(call: Call, work?: HashWork): Promise<T> {
    return this.#events(call, ({ event, data }) => {
      if (event === 'progress') work?.onProgress?.(data as HashProgress)
    })
  }

  async #json<T>(call: Call): Promise<T> {
    return (await readJson(await open(this.#path, call), call)) as T
  }

  async #events<T>(call: Call, onEvent: (event: ServerEvent) => void): Promise<T> {
    const answer = await open(this.#path, call)
    for await (const event of decodeEvents(readBytes(answer, call))) {
      if (event.event === 'done') return event.data as T
      if (event.event === 'error') throw ShareError.fromJSON(event.data as ReturnType<ShareError['toJSON']>)
      onEvent(event)
    }
    throw broken()
  }
}
