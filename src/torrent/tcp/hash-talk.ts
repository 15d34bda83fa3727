/** Hashes of v2's trees over one connection (BEP 52): given to who asks, and piece layers asked for where they are not known. */
import type { Millis } from '../../core/types.ts'
import type { TorrentEvent } from '../../exchange/peer-wire/torrent-connection.ts'
import { WireViolation } from '../../exchange/peer-wire/violation.ts'
import { answerTo, type HashSpan, piecesNeeded, requestProblem } from '../hash-requests.ts'
import type { TorrentFile } from '../info.ts'
import { blockHashes } from '../merkle.ts'
import type { TorrentHost } from './host.ts'
import { readTorrent } from './reading.ts'
import type { Session } from './session.ts'

/** Requests of one peer that wait: each may cost the reading of 512 blocks. */
const MOST_WAITING = 64

/** A peer that does not answer for so long is not waited for. */
const PATIENCE_MS = 20_000

type Hashes = Extract<TorrentEvent, { type: 'hash-request' | 'hash-reject' | 'hashes' }>

export class HashTalk {
  readonly #session: Session
  readonly #host: TorrentHost
  /** It said that it speaks v2. */
  readonly #speaks: boolean
  readonly #waiting: HashSpan[] = []
  #answering = false
  #open = 0
  #askedAt: Millis | undefined

  constructor(session: Session, host: TorrentHost, speaks: boolean) {
    this.#session = session
    this.#host = host
    this.#speaks = speaks
  }

  /** Asks for what is to be asked of this peer now. */
  pump(): void {
    const { torrent, peer, connection, ended } = this.#session
    if (!this.#speaks || ended) return
    for (const span of torrent.layerFetch?.next(peer) ?? []) {
      connection.send({ type: 'hash-request', ...span })
      this.#open++
    }
    this.#session.wake()
  }

  /** @throws WireViolation */
  take(message: Hashes): void {
    if (message.type === 'hash-request') this.#asked(message)
    else this.#answered(message)
  }

  tick(now: Millis): void {
    if (this.#open === 0) this.#askedAt = undefined
    else if (this.#askedAt === undefined) this.#askedAt = now
    else if (now - this.#askedAt > PATIENCE_MS) this.#session.end(new Error('it does not give its hashes'))
  }

  end(): void {
    const { torrent, peer } = this.#session
    torrent.layerFetch?.left(peer)
    torrent.pumpLayers()
  }

  #answered(message: Exclude<Hashes, { type: 'hash-request' }>): void {
    const { torrent, peer } = this.#session
    if (this.#open === 0) throw new WireViolation('unrequested', 'hashes that nobody asked for')
    this.#open--
    this.#askedAt = undefined
    const fetch = torrent.layerFetch
    if (fetch === undefined) return
    if (message.type === 'hash-reject') fetch.rejected(peer, message)
    else {
      const received = fetch.received(peer, message, message.hashes)
      if (received === 'bad') throw new WireViolation('malformed', 'hashes that do not lead to the root')
      if (received === 'unasked') throw new WireViolation('unrequested', 'hashes that nobody asked for')
    }
    torrent.pumpLayers()
  }

  // --- giving

  #asked({ root, baseLayer, index, length, proofLayers }: HashSpan): void {
    const span = { root: root.slice(), baseLayer, index, length, proofLayers }
    if (this.#waiting.length >= MOST_WAITING) {
      this.#session.connection.send({ type: 'hash-reject', ...span })
      return
    }
    this.#waiting.push(span)
    if (!this.#answering) void this.#answerAll()
  }

  async #answerAll(): Promise<void> {
    this.#answering = true
    for (let span = this.#waiting.shift(); span !== undefined; span = this.#waiting.shift()) {
      const hashes = await this.#answer(span).catch(() => undefined)
      if (this.#session.ended) return
      const { connection } = this.#session
      if (hashes === undefined) connection.send({ type: 'hash-reject', ...span })
      else connection.send({ type: 'hashes', ...span, hashes })
      this.#session.wake()
    }
    this.#answering = false
  }

  /** Undefined for what we cannot answer. */
  async #answer(span: HashSpan): Promise<Uint8Array | undefined> {
    const { source } = this.#session.torrent
    const file = source?.info.files.find(
      ({ root }) => root !== undefined && Buffer.compare(root, span.root) === 0,
    )
    if (source === undefined || file?.root === undefined) return undefined
    const { size, root } = file
    const { pieceLength } = source.info
    if (requestProblem(span, size, pieceLength) !== undefined) return undefined
    const layer = size <= pieceLength ? root : source.layers.get(Buffer.from(root).toString('hex'))
    const blocks = layer && (await this.#blocks(span, file))
    return blocks && layer && answerTo(span, { size, pieceLength, layer, blocks })
  }

  /** The leaves of the pieces that an answer needs; undefined where one is not here. */
  async #blocks(span: HashSpan, { size, start }: TorrentFile): Promise<Uint8Array | undefined> {
    const { torrent } = this.#session
    const { source, root } = torrent
    if (source === undefined) return undefined
    const { pieceLength } = source.info
    const { first, count } = piecesNeeded(span, size, pieceLength)
    const hashes: Uint8Array[] = []
    for (let piece = first; piece < first + count; piece++) {
      const index = start / pieceLength + piece
      const length = Math.min(pieceLength, size - piece * pieceLength)
      if (torrent.have?.has(index) !== true) return undefined
      const bytes = await readTorrent(this.#host, { root, space: source.space }, { index, begin: 0, length })
      if (bytes === undefined) return undefined
      hashes.push(blockHashes(bytes))
    }
    return Buffer.concat(hashes)
  }
}
