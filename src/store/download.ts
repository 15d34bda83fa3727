/**
 * One root's download: a partial tree that fills, an index and a bitmap that say what is there, and at the
 * end one durable step after the other to the final name. Killed at any point, it opens again from its rows.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Inline, Manifest } from '../content/manifest.ts'
import { unwrapLeaf } from '../content/verify.ts'
import { Bitfield } from '../core/bitfield.ts'
import { DAG_PB } from '../core/cid.ts'
import type { RootKey } from '../core/types.ts'
import { beginPartial, restoreInline } from './begin.ts'
import { type Change, rowOf } from './catalogue.ts'
import { Claims, encodeClaims } from './claims.ts'
import { notIndexed, notOpen, notTheLeaf, removed, unfinished } from './download-errors.ts'
import { giveName } from './finish.ts'
import { type Former, lookFor, readLeaf } from './former-pieces.ts'
import { inlineAt, type Layout, type LeafPlace, pieceAt } from './layout.ts'
import { indexLayout, layoutRows, wrapsRow } from './layouts.ts'
import type { PartialTree } from './partial.ts'
import type { Parts } from './parts.ts'
import { kindAt, targetExists } from './place.ts'
import type { KeptShare } from './share-row.ts'
import type { Download, ShareRow } from './types.ts'
import { UnderWay } from './under-way.ts'
import { around, splitInline } from './wrapping.ts'

/** `moving`: the bytes are between their two names, and reads wait. `gone`: the share was removed. */
type State = 'open' | 'moving' | 'closed' | 'gone'

/** Pieces looked at before others get a turn on the event loop. */
const PIECES_PER_TURN = 1024

export class PartialDownload implements Download {
  readonly root: RootKey
  readonly #parts: Parts
  readonly #closed: () => void
  readonly #release: () => void
  #state: State = 'open'
  #have = new Bitfield(0)
  /** Of pieces with several places, how many of them this run has written. */
  readonly #written = new Map<number, number>()
  #layout: Layout | undefined
  #tree: PartialTree | undefined
  #claims: Claims
  #sealed = false
  /** Entry and offset of each inline node that the layout has. */
  readonly #inlinePlaces = new Set<string>()
  #extending: Promise<unknown> = Promise.resolve()
  #moving: Promise<unknown> = Promise.resolve()
  readonly #underWay = new UnderWay()

  /** `closed` is called when the download is over, one way or the other. */
  constructor(root: RootKey, parts: Parts, closed: () => void) {
    this.root = root
    this.#parts = parts
    this.#closed = closed
    this.#release = parts.nodes.hold()
    this.#claims = this.#newClaims(new Bitfield(0))
  }

  get have(): Bitfield {
    return this.#have
  }

  /** The layout, once the names are known. */
  get layout(): Layout | undefined {
    return this.#layout
  }

  /** Nothing more can be made durable in this run. */
  get failed(): boolean {
    return this.#claims.failure !== undefined
  }

  /** The walk was completed, in this run or a former one. */
  get isSealed(): boolean {
    return this.#sealed
  }

  async begin(manifest: Manifest): Promise<void> {
    const { layout, tree, claimed, sealed } = await beginPartial(this.#parts, this.#share(), manifest)
    this.#claims = this.#newClaims(claimed)
    this.#sealed = sealed
    this.#layout = layout
    this.#tree = tree
    for (const inline of layout.inlines) {
      this.#inlinePlaces.add(`${inline.entry} ${inline.offset}`)
      const written = await restoreInline(this.#parts, this.root, tree, inline)
      if (written) this.#claims.wrote(inline.entry, inline.size)
    }
  }

  extend(): Promise<readonly number[]> {
    const extending = this.#extending.then(() => this.#underWay.track(this.#extend()))
    this.#extending = extending.catch(() => undefined)
    return extending
  }

  async sealed(): Promise<void> {
    await this.extend()
    const { layout } = this.#begun()
    if (this.#sealed) return
    // inline bytes have no claim in the bitmap: a manifest row says that they are there
    await this.#claims.flush()
    await this.#parts.nodes.sync()
    await indexLayout(this.#parts.index, this.#share().slot, layout)
    const { size, pieces, entries } = layout.manifest
    await this.#parts.shares.change(
      this.root,
      { size, pieces: pieces.length, entries: entries.length },
      { along: layoutRows(this.root, layout), partial: 'begun' },
    )
    this.#sealed = true
  }

  writePiece(piece: number, block: Uint8Array): Promise<void> {
    return this.#underWay.track(this.#writePiece(piece, block))
  }

  writeInline(inline: Inline): Promise<void> {
    return this.#underWay.track(this.#writeInline(inline))
  }

  async finish(): Promise<ShareRow> {
    await this.sealed()
    if (!this.#have.complete) throw unfinished(this.#have)
    const { tree, layout } = this.#begun()
    await this.#claims.flush()
    await tree.complete()
    const { path } = this.#share().row
    if ((await kindAt(path)) !== undefined) throw targetExists(path)
    const moving = this.#move(layout, tree, path)
    this.#moving = moving.catch(() => undefined)
    return moving
  }

  async close(): Promise<void> {
    if (this.#state === 'closed' || this.#state === 'gone') return
    await this.#moving
    if (this.#state !== 'open') return
    this.#state = 'closed'
    await this.#underWay.settle()
    try {
      await this.#claims.flush()
    } finally {
      await this.#end()
    }
  }

  /** Stops without claiming anything: the share is being removed. */
  async abandon(): Promise<void> {
    await this.#moving
    if (this.#state !== 'open') return
    this.#state = 'gone'
    await this.#underWay.settle()
    await this.#end()
  }

  /** Claims what was stored; called every few seconds. */
  async flush(): Promise<void> {
    if (this.#state !== 'open' || this.#claims.failure !== undefined) return
    await this.#claims.flush()
  }

  /** A piece's block from the partial tree, hashed. One that is no longer there is missing again. */
  readPiece(piece: number): Promise<Uint8Array | undefined> {
    return this.#underWay.track(this.#readPiece(piece))
  }

  /** An inline node's block from the partial tree, hashed. */
  readInline(inline: number): Promise<Uint8Array | undefined> {
    return this.#underWay.track(this.#readInline(inline))
  }

  /** Resolves when the bytes are not between their two names. */
  async settledName(): Promise<void> {
    await this.#moving
  }

  async #extend(): Promise<readonly number[]> {
    const { layout, tree } = this.#begun()
    const { pieces } = layout.manifest
    const first = this.#have.length
    const count = pieces.length - first
    if (count === 0) return []
    const { slot, partial } = this.#share()
    const digest = (piece: number) => pieces.digest(piece)
    const elsewhere = await this.#parts.index.add({ slot, kind: 'piece', first, count, digest }, 'soon')
    this.#have = this.#have.resized(first + count)
    this.#claims.grow(first + count)
    for (let piece = first; piece < first + count; piece++) {
      if (piece % PIECES_PER_TURN === 0) await nextTurn()
      if (this.#state !== 'open') return []
      const trusted = this.#claims.has(piece) && partial !== 'suspect'
      this.#found(layout, piece, await lookFor(layout, tree, piece, trusted, this.#claims.has(piece)))
    }
    return elsewhere
  }

  #found(layout: Layout, piece: number, former: Former): void {
    if (former === 'missing') {
      this.#claims.withdraw(piece)
      return
    }
    this.#have.add(piece)
    if (former === 'unclaimed') this.#claim(layout, piece)
  }

  async #writePiece(piece: number, block: Uint8Array): Promise<void> {
    const { layout } = this.#begun()
    const { pieces } = layout.manifest
    if (piece < 0 || piece >= this.#have.length) throw notIndexed(piece)
    // one place at least holds a piece that is here; the walk may have found more since
    const written = this.#have.has(piece) ? (this.#written.get(piece) ?? 1) : 0
    if (written >= pieces.places(piece).length) return
    if (this.#claims.failure !== undefined) throw this.#claims.failure
    const payload = unwrapLeaf(pieces.codec(piece), block, pieces.size(piece))
    if (payload === undefined || block.length !== pieces.blockSize(piece)) throw notTheLeaf(piece)
    if (pieces.codec(piece) === DAG_PB) layout.wrappings.learn(piece, payload.length, around(block, payload))
    await this.#writePlaces(piece, written, payload)
    this.#have.add(piece)
    this.#claims.stored(piece)
  }

  /** All places from the given one on, also those that the walk finds meanwhile: a claim speaks for each. */
  async #writePlaces(piece: number, from: number, payload: Uint8Array): Promise<void> {
    const { layout, tree } = this.#begun()
    const { pieces } = layout.manifest
    let written = from
    for (let places = pieces.places(piece); written < places.length; places = pieces.places(piece))
      for (const { entry, offset } of places.slice(written)) {
        await tree.write(entry, offset, payload)
        this.#claims.wrote(entry, payload.length)
        written++
      }
    if (written > 1) this.#written.set(piece, written)
  }

  #claim(layout: Layout, piece: number): void {
    const { pieces } = layout.manifest
    for (const place of pieces.places(piece)) this.#claims.wrote(place.entry, pieces.size(piece))
    this.#claims.stored(piece)
  }

  async #writeInline({ cid, place, data }: Inline): Promise<void> {
    const { layout, tree } = this.#begun()
    await tree.write(place.entry, place.offset, data)
    this.#claims.wrote(place.entry, data.length)
    const key = `${place.entry} ${place.offset}`
    if (this.#inlinePlaces.has(key)) return
    this.#inlinePlaces.add(key)
    const block = await this.#parts.nodes.get(cid)
    layout.inlines.push({
      cid,
      ...place,
      size: data.length,
      wrapping: block && splitInline(block, data.length),
    })
  }

  async #move(layout: Layout, tree: PartialTree, path: string): Promise<ShareRow> {
    this.#state = 'moving'
    try {
      await this.#underWay.settle()
      await giveName(this.#parts, this.root, layout, tree.base, path)
    } catch (thrown) {
      this.#state = 'open'
      throw thrown
    }
    const { row } = this.#share()
    this.#state = 'closed'
    await this.#end()
    return row
  }

  async #readPiece(piece: number): Promise<Uint8Array | undefined> {
    if (!this.#have.has(piece)) return undefined
    const block = await this.#readLeaf((layout) => pieceAt(layout, piece))
    if (block === 'spoilt') {
      this.#parts.log(`piece ${piece} of ${this.root} is no longer in the partial file`)
      this.#have.delete(piece)
      this.#claims.withdraw(piece)
      return undefined
    }
    return block
  }

  async #readInline(inline: number): Promise<Uint8Array | undefined> {
    const block = await this.#readLeaf((layout) => inlineAt(layout, inline))
    return block === 'spoilt' ? undefined : block
  }

  /** `undefined` when it cannot be read just now. */
  async #readLeaf(
    find: (layout: Layout) => LeafPlace | undefined,
  ): Promise<Uint8Array | 'spoilt' | undefined> {
    if (this.#state !== 'open' || this.#layout === undefined || this.#tree === undefined) return undefined
    const leaf = find(this.#layout)
    if (leaf === undefined) return undefined
    try {
      return (await readLeaf(this.#tree, leaf)) ?? 'spoilt'
    } catch (thrown) {
      this.#parts.log(`reading the partial file of ${this.root}: ${thrown}`)
      return undefined
    }
  }

  #newClaims(former: Bitfield): Claims {
    const sync = async (entries: Iterable<number>) => this.#tree?.sync(entries)
    return new Claims({ sync, save: (claimed) => this.#save(claimed) }, former)
  }

  async #save(claimed: Bitfield): Promise<void> {
    const have: Change = { type: 'put', key: rowOf('have', this.root), value: encodeClaims(claimed) }
    if (this.#state === 'gone') return
    const along = this.#layout === undefined ? [have] : [have, wrapsRow(this.root, this.#layout)]
    await this.#parts.shares.change(this.root, {}, { along })
  }

  #share(): KeptShare {
    const share = this.#parts.shares.get(this.root)
    if (share === undefined || this.#state === 'gone') throw removed(this.root)
    return share
  }

  #begun(): { layout: Layout; tree: PartialTree } {
    if (this.#state === 'gone') throw removed(this.root)
    if (this.#state === 'closed' || this.#layout === undefined || this.#tree === undefined)
      throw notOpen(this.root)
    return { layout: this.#layout, tree: this.#tree }
  }

  async #end(): Promise<void> {
    await this.#tree?.close()
    this.#release()
    this.#closed()
  }
}
