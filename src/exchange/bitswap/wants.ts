/**
 * What we want of one peer, and what of it the peer does not know yet. Pure. Changes are coalesced until
 * the next message; after a broken stream the whole list is told again, marked as full.
 */
import type { CID } from 'multiformats/cid'
import { blockKey } from '../../core/cid.ts'
import { keepNewest } from '../../core/keep-newest.ts'
import type { BlockKey } from '../../core/types.ts'
import type { WantEntry, WantKind } from './message.ts'

/** Entries in one message: 256 of some 50 bytes keep it under kubo's target of 16 KiB. */
const MOST_ENTRIES = 256

/** Blocks that a peer was told to send and has not sent: with so many, what is told to it next does not make it wait. */
const ENOUGH_TOLD = 16

/**
 * Wants of the past that are remembered: a cancelled one's block may be on its way already, an answered one's
 * come twice after the list was told again.
 */
const MOST_PAST = 2_048

interface Want {
  readonly cid: CID
  readonly kind: WantKind
}

export class Wants {
  readonly #wants = new Map<BlockKey, Want>()
  readonly #untold = new Map<BlockKey, WantEntry>()
  readonly #past = new Set<BlockKey>()
  /** Wants for blocks, told or not. */
  #blocks = 0
  /** The peer's idea of the list is unknown: a new connection, or a broken stream. */
  #fresh = true

  /** A block want stands above a question for the same block. */
  want(cid: CID, kind: WantKind): void {
    const key = blockKey(cid)
    if (this.#wants.get(key)?.kind === 'block') return
    if (kind === 'block') this.#blocks++
    this.#wants.set(key, { cid, kind })
    this.#untold.set(key, { cid, kind, cancel: false, sendDontHave: true })
  }

  /** Has what is wanted told again. */
  remind(cid: CID): void {
    const key = blockKey(cid)
    const want = this.#wants.get(key)
    if (want !== undefined) this.#untold.set(key, { ...want, cancel: false, sendDontHave: true })
  }

  cancel(cid: CID): void {
    const key = blockKey(cid)
    if (!this.#forget(key)) return
    this.#remember(key)
    this.#untold.set(key, { cid, kind: 'block', cancel: true, sendDontHave: false })
  }

  /** Whether a block was asked for, now or a while ago. */
  wasWanted(key: BlockKey): boolean {
    return this.#wants.has(key) || this.#past.has(key)
  }

  /** Whether blocks are to come; a question may stand for long. */
  get awaitsBlocks(): boolean {
    return this.#blocks > 0
  }

  /** Whether the peer has enough to send for now, so that what is new may be gathered. */
  get mayGather(): boolean {
    return this.#blocks - this.#untold.size >= ENOUGH_TOLD
  }

  kind(key: BlockKey): WantKind | undefined {
    return this.#wants.get(key)?.kind
  }

  /** The peer has answered, and by that forgotten the want: nothing to tell it. */
  settle(key: BlockKey): void {
    if (this.#forget(key)) this.#remember(key)
    this.#untold.delete(key)
  }

  get pending(): boolean {
    return this.#untold.size > 0
  }

  /** The next batch of changes, or undefined when the peer knows everything. */
  take(): { entries: WantEntry[]; full: boolean } | undefined {
    if (this.#untold.size === 0) return undefined
    const entries: WantEntry[] = []
    for (const [key, entry] of this.#untold) {
      if (entries.length === MOST_ENTRIES) break
      this.#untold.delete(key)
      if (!this.#fresh || !entry.cancel) entries.push(entry)
    }
    const full = this.#fresh
    this.#fresh = false
    return { entries, full }
  }

  /** Nothing that was told can be relied on any more. */
  retell(): void {
    this.#fresh = true
    this.#untold.clear()
    for (const [key, { cid, kind }] of this.#wants)
      this.#untold.set(key, { cid, kind, cancel: false, sendDontHave: true })
  }

  #forget(key: BlockKey): boolean {
    if (this.#wants.get(key)?.kind === 'block') this.#blocks--
    return this.#wants.delete(key)
  }

  #remember(key: BlockKey): void {
    this.#past.add(key)
    keepNewest(this.#past, MOST_PAST)
  }
}
