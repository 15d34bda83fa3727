/** The info dictionary over one connection (BEP 9): given to who asks, and asked for where it is not known. */
import type { Millis } from '../../core/types.ts'
import type { MetadataMessage } from '../../exchange/peer-wire/metadata-messages.ts'
import type { TorrentGreeting } from '../../exchange/peer-wire/torrent-greeting.ts'
import { WireViolation } from '../../exchange/peer-wire/violation.ts'
import { metadataBlock } from '../metadata-fetch.ts'
import type { Session } from './session.ts'

/** Times that one peer may have all of it of us: nobody needs it twice, and it has up to 32 MiB. */
const MOST_GIVEN = 2

/** A peer that does not answer for so long is not waited for. */
const PATIENCE_MS = 20_000

export class MetadataTalk {
  readonly #session: Session
  /** Bytes that it may still have of us; undefined until it asked. */
  #allowance: number | undefined
  /** Since when an answer is waited for. */
  #askedAt: Millis | undefined
  #open = 0

  constructor(session: Session) {
    this.#session = session
  }

  greeted({ metadataSize }: TorrentGreeting): void {
    const { torrent, peer, connection } = this.#session
    if (metadataSize === undefined || !connection.speaks('ut_metadata')) return
    torrent.metadataFetch?.joined(peer, metadataSize)
    torrent.pumpMetadata()
  }

  /** Asks for what is to be asked of this peer now. */
  pump(): void {
    const { torrent, peer, connection } = this.#session
    for (const block of torrent.metadataFetch?.next(peer) ?? []) {
      connection.sendMetadata({ type: 'request', block })
      this.#open++
    }
    this.#session.wake()
  }

  /** @throws WireViolation */
  take(message: MetadataMessage): void {
    if (message.type === 'request') this.#give(message.block)
    else this.#answered(message)
  }

  tick(now: Millis): void {
    if (this.#open === 0) this.#askedAt = undefined
    else if (this.#askedAt === undefined) this.#askedAt = now
    else if (now - this.#askedAt > PATIENCE_MS) this.#session.end(new Error('it does not give its metadata'))
  }

  end(): void {
    const { torrent, peer } = this.#session
    torrent.metadataFetch?.left(peer)
    torrent.pumpMetadata()
  }

  #give(block: number): void {
    const { torrent, connection } = this.#session
    const info = torrent.source?.infoBytes
    const data = info && metadataBlock(info, block)
    this.#allowance ??= MOST_GIVEN * (info?.length ?? 0)
    this.#allowance -= data?.length ?? 0
    if (info === undefined || data === undefined || this.#allowance < 0)
      connection.sendMetadata({ type: 'reject', block })
    else connection.sendMetadata({ type: 'data', block, size: info.length, data })
  }

  #answered(message: Exclude<MetadataMessage, { type: 'request' }>): void {
    const { torrent, peer } = this.#session
    this.#askedAt = undefined
    if (this.#open === 0) throw new WireViolation('unrequested', 'metadata that nobody asked for')
    this.#open--
    const fetch = torrent.metadataFetch
    if (fetch === undefined) return
    if (message.type === 'reject') fetch.rejected(peer, message.block)
    else if (fetch.received(peer, message.block, message.size, message.data.slice()) === 'bad')
      throw new WireViolation('malformed', 'metadata that does not match the info hash')
    torrent.pumpMetadata()
  }
}
