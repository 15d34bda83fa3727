/** A node in memory: knows the shapes and the errors, moves no bytes. Tests set what its long methods do. */
import { EventEmitter } from 'node:events'
import { ShareError } from '../../src/core/errors.ts'
import type {
  Blocks,
  CheckResult,
  ConnectedPeer,
  ImportResult,
  ListEntry,
  Node,
  NodeEvents,
  NodeIdentity,
  ShareInfo,
  Torrent,
} from '../../src/node/types.ts'

export const CID = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'

export function shareInfo(change: Partial<ShareInfo> = {}): ShareInfo {
  return {
    cid: CID,
    name: 'hello.txt',
    path: '/tmp/hello.txt',
    state: 'seeding',
    size: 100,
    have: 100,
    pieces: { total: 1, have: 1 },
    uploaded: 5,
    downloaded: 0,
    rates: { up: 1, down: 0 },
    peers: [],
    banned: [],
    damaged: [],
    limits: { up: 0, down: 0 },
    error: undefined,
    announced: true,
    discovery: [],
    infoHashes: {},
    only: [],
    mismatch: undefined,
    ...change,
  }
}

const PEER: ConnectedPeer = { id: 'peer', address: '/ip4/127.0.0.1/tcp/1/p2p/peer', direction: 'outbound' }

export class FakeNode implements Node {
  readonly identity: NodeIdentity = {
    peerId: 'me',
    addresses: ['/ip4/127.0.0.1/tcp/4141/p2p/me'],
    reachable: 'no',
    reachableBy: 'it listens on this machine alone',
  }
  readonly shares = new Map<string, ShareInfo>([[CID, shareInfo()]])
  readonly calls: unknown[][] = []
  readonly #events = new EventEmitter()
  stopped = false

  onGet: Node['get'] = async () => shareInfo()
  onCat: Node['cat'] = async function* () {}
  onExport: Node['export'] = async function* () {}

  async *examine(): AsyncGenerator<CheckResult> {
    yield { name: 'clock', verdict: 'ok', finding: 'it runs forward' }
    yield { name: 'ports', verdict: 'failed', finding: 'it listens nowhere', next: 'listen somewhere' }
  }

  async add(path: string, options: Parameters<Node['add']>[1] = {}): Promise<ShareInfo> {
    const { signal: _, onProgress, ...rest } = options
    this.calls.push(['add', path, rest])
    onProgress?.({ done: 0, total: 100, files: 1 })
    onProgress?.({ done: 100, total: 100, files: 1 })
    if (path.endsWith('full')) throw new ShareError('DISK_FULL', 'no space left', 'free some space')
    return shareInfo({ path })
  }

  get(target: string, options: Parameters<Node['get']>[1] = {}): Promise<ShareInfo> {
    this.calls.push(['get', target, options.output, options.peers])
    return this.onGet(target, options)
  }

  cat(target: string, options: Parameters<Node['cat']>[1] = {}): AsyncIterable<Uint8Array> {
    this.calls.push(['cat', target, options.range])
    return this.onCat(target, options)
  }

  async *ls(target: string): AsyncGenerator<ListEntry> {
    this.calls.push(['ls', target])
    yield { name: 'a', cid: CID, kind: 'file', size: 3 }
    yield { name: 'b', cid: CID, kind: 'directory', size: undefined }
  }

  blocks(): Blocks {
    throw new ShareError('NOBODY_HAS_IT', 'nobody has it', 'wait')
  }

  export(target: string, options: Parameters<Node['export']>[1] = {}): AsyncIterable<Uint8Array> {
    this.calls.push(['export', target])
    return this.onExport(target, options)
  }

  async import(path: string, options: Parameters<Node['import']>[1] = {}): Promise<ImportResult> {
    const { signal: _, onProgress, ...rest } = options
    this.calls.push(['import', path, rest])
    onProgress?.({ done: 50, total: 100 })
    return { shares: [shareInfo({ path })], failed: [], blocks: 2, bytes: 90 }
  }

  async rm(cid: string): Promise<void> {
    this.#known(cid)
    this.shares.delete(cid)
  }

  async link(cid: string): Promise<string> {
    return `share:${this.#known(cid).cid}`
  }

  async torrent(cid: string, options: Parameters<Node['torrent']>[1] = {}): Promise<Torrent> {
    const { version = 'hybrid', onProgress } = options
    const { name } = this.#known(cid)
    onProgress?.({ done: 100, total: 100 })
    const infoHashes = { v1: '11'.repeat(20) }
    return {
      cid,
      name,
      version,
      pieceLength: 16_384,
      pieces: 1,
      infoHashes,
      bytes: Buffer.from(`d1:v2:${version}`),
    }
  }

  async pause(cid: string): Promise<void> {
    this.shares.set(cid, { ...this.#known(cid), state: 'paused' })
  }

  async resume(cid: string): Promise<void> {
    this.shares.set(cid, { ...this.#known(cid), state: 'seeding' })
  }

  async verify(cid: string): Promise<{ cid: string; pieces: number; bytes: number; damaged: [] }> {
    return { cid: this.#known(cid).cid, pieces: 1, bytes: 100, damaged: [] }
  }

  async limit(cid: string, rates: Partial<ShareInfo['limits']>): Promise<ShareInfo> {
    const share = this.#known(cid)
    const limited = { ...share, limits: { ...share.limits, ...rates } }
    this.shares.set(cid, limited)
    return limited
  }

  limitAll(rates: Partial<ShareInfo['limits']>): void {
    this.calls.push(['limitAll', rates])
  }

  async gc(): Promise<{ blocks: number; bytes: number }> {
    return { blocks: 2, bytes: 300 }
  }

  async status(): Promise<ShareInfo[]> {
    return [...this.shares.values()]
  }

  peers(): ConnectedPeer[] {
    return [PEER]
  }

  async connect(address: string): Promise<ConnectedPeer> {
    if (!address.startsWith('/'))
      throw new ShareError('BAD_ADDRESS', `not a multiaddr: ${address}`, 'it starts with a slash')
    return { ...PEER, address }
  }

  on<K extends keyof NodeEvents>(event: K, listener: (detail: NodeEvents[K]) => void): () => void {
    this.#events.on(event, listener)
    return () => this.#events.off(event, listener)
  }

  emit<K extends keyof NodeEvents>(event: K, detail: NodeEvents[K]): void {
    this.#events.emit(event, detail)
  }

  async stop(): Promise<void> {
    this.stopped = true
  }

  #known(cid: string): ShareInfo {
    const share = this.shares.get(cid)
    if (share === undefined) throw new ShareError('NOT_FOUND', `no share ${cid}`, 'see `share ls`')
    return share
  }
}
