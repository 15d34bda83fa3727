/**
 * The download of a torrent that has no CID yet: its pieces go across files, and are checked by whoever writes them. Same
 * rules as for other downloads: positioned writes into the partial tree, a bitmap that claims what was synced, and at the
 * end one durable step after the other to the final name.
 */
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Bitfield } from '../core/bitfield.ts'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import { BorderFile } from './border-file.ts'
import { type Change, rowOf } from './catalogue.ts'
import { Claims, decodeClaims, encodeClaims } from './claims.ts'
import { notOpen, removed, unfinished } from './download-errors.ts'
import { checkTree } from './found-tree.ts'
import { PartialTree, partialPath } from './partial.ts'
import type { Parts } from './parts.ts'
import { kindAt, placeAt, syncDirectory, targetExists } from './place.ts'
import type { KeptShare } from './share-row.ts'
import type { Checking, TorrentDownload, TorrentTarget, TorrentTree } from './torrent-types.ts'
import { UnderWay } from './under-way.ts'

/** `gone`: the torrent was removed. */
type State = 'open' | 'closed' | 'gone'

interface Begun {
  readonly tree: TorrentTree
  readonly files: PartialTree
  readonly borders: BorderFile
}

export class PartialTorrent implements TorrentDownload {
  readonly root: RootKey
  readonly #parts: Parts
  readonly #closed: () => void
  #state: State = 'open'
  #have = new Bitfield(0)
  #claims: Claims
  #begun: Begun | undefined
  readonly #underWay = new UnderWay()

  /** `closed` is called when the download is over, one way or the other. */
  constructor(root: RootKey, parts: Parts, closed: () => void) {
    this.root = root
    this.#parts = parts
    this.#closed = closed
    this.#claims = this.#newClaims(new Bitfield(0))
  }

  get have(): Bitfield {
    return this.#have
  }

  begin(tree: TorrentTree, target: TorrentTarget, checking: Checking): Promise<void> {
    return this.#underWay.track(this.#begin(tree, target, checking))
  }

  write(piece: number, bytes: Uint8Array): Promise<void> {
    return this.#underWay.track(this.#write(piece, bytes))
  }

  read(
    piece: number,
    begin = 0,
    length = Number.POSITIVE_INFINITY,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#underWay.track(this.#read(piece, begin, length))
  }

  lend<T>(entry: number, work: (fd: number) => Promise<T>): Promise<T> {
    const { files } = this.#open()
    return this.#underWay.track(files.lend(entry, work))
  }

  async finish(): Promise<void> {
    const { files, tree } = this.#open()
    if (!this.#have.complete) throw unfinished(this.#have)
    await this.#claims.flush()
    await files.complete()
    const { path } = this.#share().row
    if ((await kindAt(path)) !== undefined) throw targetExists(path)
    await this.#underWay.settle()
    await this.#giveName(tree, files.base, path)
    this.#state = 'closed'
    await this.#end()
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    await this.#underWay.settle()
    try {
      await this.#claims.flush()
    } finally {
      await this.#end()
    }
  }

  /** Stops without claiming anything: the torrent is being removed. */
  async abandon(): Promise<void> {
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

  async #begin(tree: TorrentTree, target: TorrentTarget, checking: Checking): Promise<void> {
    const taken = await this.#settlePlace(tree, target, checking)
    const { row, partial } = this.#share()
    const base = partialPath(row.path)
    const found = (await kindAt(base)) !== undefined
    if (found && partial === 'none') throw targetExists(base)
    const files = new PartialTree(base, { entries: tree.entries, size: tree.bytes }, this.#parts.smallFiles)
    if (found) await files.scan()
    await files.checkSpace()
    const former = found
      ? decodeClaims(await this.#parts.catalogue.get(rowOf('have', this.root)))
      : new Bitfield(0)
    const along: Change[] = found ? [] : [{ type: 'del', key: rowOf('have', this.root) }]
    await this.#parts.shares.change(
      this.root,
      { size: tree.bytes, pieces: tree.length },
      { partial: 'begun', along },
    )
    await files.make()
    const borders = await BorderFile.open(this.#parts.borders, this.root, tree.borderBytes)
    this.#begun = { tree, files, borders }
    this.#have = new Bitfield(tree.length)
    this.#claims = this.#newClaims(former.length === tree.length ? former : new Bitfield(tree.length))
    if (taken !== undefined) this.#take(tree, taken)
    else if (found) await this.#lookFor(this.#begun, partial === 'suspect', checking)
  }

  /** Decides where it goes, unless that was decided before; gives the pieces of what lies there, if that is taken over. */
  async #settlePlace(
    tree: TorrentTree,
    { name, path, instead }: TorrentTarget,
    checking: Checking,
  ): Promise<Bitfield | undefined> {
    const { shares } = this.#parts
    const { partial } = this.#share()
    if (partial !== 'none' && (await kindAt(partialPath(this.#share().row.path))) !== undefined) {
      const { row } = this.#share()
      if ((await kindAt(row.path)) !== undefined) throw targetExists(row.path)
      return undefined
    }
    const others = shares.all().filter(({ row }) => row.root !== this.root && row.path === path)
    const rivals = others.filter(({ row }) => !instead.includes(row.root))
    if (rivals.some(({ row }) => row.phase !== 'complete')) throw targetExists(path)
    const there = (await kindAt(path)) !== undefined
    if (there && rivals.length > 0) throw targetExists(path)
    const have = there ? await this.#checkThere(path, tree, checking) : undefined
    if ((await kindAt(partialPath(path))) !== undefined) throw targetExists(partialPath(path))
    await shares.change(this.root, { name, path }, { partial: there ? 'suspect' : 'none' })
    if (there) await placeAt(tree.entries[0]?.kind ?? 'file', path, partialPath(path))
    return have
  }

  /** What lies at the target is filled up where it is the torrent's: pieces of it are right, and nothing would be lost. */
  async #checkThere(path: string, tree: TorrentTree, checking: Checking): Promise<Bitfield> {
    const kind = await kindAt(path)
    if (kind !== tree.entries[0]?.kind) throw targetExists(path)
    const { have, foreign, longer } = await checkTree(path, tree, checking)
    const [other] = [...foreign, ...longer]
    if (have.count === 0 || other !== undefined) throw notTheTorrents(path, other)
    return have
  }

  /** The pieces were checked a moment ago, under the other name. */
  #take(tree: TorrentTree, pieces: Bitfield): void {
    for (const piece of pieces) this.#stored(tree, piece)
  }

  async #lookFor({ tree, files, borders }: Begun, suspect: boolean, checking: Checking): Promise<void> {
    for (let piece = 0; piece < tree.length; piece++) {
      checking.signal?.throwIfAborted()
      if (this.#state !== 'open') return
      const runs = [...tree.runs(piece)]
      const intact = runs.every((run) => run.kind !== 'file' || files.intact(run.entry)) && borders.intact
      if (this.#claims.has(piece) && intact && !suspect) this.#have.add(piece)
      else {
        const claimed = this.#claims.has(piece)
        this.#claims.withdraw(piece)
        const there = runs.every(
          (run) => run.kind !== 'file' || files.formerSize(run.entry) >= run.offset + run.length,
        )
        const bytes = there ? await this.#bytesOf(this.#open(), piece, 0, tree.blockSize(piece)) : undefined
        const isRight =
          bytes !== undefined && (claimed || !isBlank(bytes)) && (await checking.check(piece, bytes)).right
        if (isRight) this.#stored(tree, piece)
      }
      checking.onProgress?.(piece + 1)
    }
  }

  async #write(piece: number, bytes: Uint8Array): Promise<void> {
    const { tree, files, borders } = this.#open()
    if (this.#have.has(piece)) return
    if (this.#claims.failure !== undefined) throw this.#claims.failure
    let at = 0
    for (const run of tree.runs(piece)) {
      const part = bytes.subarray(at, at + run.length)
      if (run.kind === 'file') await files.write(run.entry, run.offset, part)
      else if (run.kind === 'border') await borders.write(run.offset, part)
      at += run.length
    }
    this.#stored(tree, piece)
  }

  #stored(tree: TorrentTree, piece: number): void {
    for (const run of tree.runs(piece)) if (run.kind === 'file') this.#claims.wrote(run.entry, run.length)
    this.#have.add(piece)
    this.#claims.stored(piece)
  }

  async #read(piece: number, begin: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (this.#state !== 'open' || this.#begun === undefined || !this.#have.has(piece)) return undefined
    try {
      return await this.#bytesOf(this.#begun, piece, begin, length)
    } catch (thrown) {
      this.#parts.log(`reading the partial file of ${this.root}: ${thrown}`)
      return undefined
    }
  }

  async #bytesOf(
    { tree, files, borders }: Begun,
    piece: number,
    begin: number,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = new Uint8Array(Math.max(0, Math.min(tree.blockSize(piece) - begin, length)))
    let at = 0
    for (const run of tree.runs(piece, begin, length)) {
      const into = bytes.subarray(at, at + run.length)
      if (run.kind === 'file' && (await files.read(run.entry, run.offset, into)) < run.length)
        return undefined
      if (run.kind === 'border' && (await borders.read(run.offset, into)) < run.length) return undefined
      at += run.length
    }
    return bytes
  }

  async #giveName({ entries }: TorrentTree, from: string, to: string): Promise<void> {
    const { shares } = this.#parts
    await shares.change(this.root, { phase: 'finishing' })
    try {
      await placeAt(entries[0]?.kind ?? 'file', from, to)
      await syncDirectory(dirname(to))
    } catch (thrown) {
      await shares.change(this.root, { phase: 'incomplete' })
      throw thrown
    }
    const along: Change[] = [{ type: 'del', key: rowOf('have', this.root) }]
    await shares.change(this.root, { phase: 'complete' }, { partial: 'none', along })
    // only what is served as this torrent needs them, and what is not whole is not
    await rm(BorderFile.pathIn(this.#parts.borders, this.root), { force: true })
  }

  #newClaims(former: Bitfield): Claims {
    const sync = async (entries: Iterable<number>): Promise<void> => {
      await this.#begun?.files.sync(entries)
      await this.#begun?.borders.sync()
    }
    return new Claims({ sync, save: (claimed) => this.#save(claimed) }, former)
  }

  async #save(claimed: Bitfield): Promise<void> {
    if (this.#state === 'gone') return
    const along: Change[] = [{ type: 'put', key: rowOf('have', this.root), value: encodeClaims(claimed) }]
    await this.#parts.shares.change(this.root, {}, { along })
  }

  #share(): KeptShare {
    const share = this.#parts.shares.get(this.root)
    if (share === undefined || this.#state === 'gone') throw removed(this.root)
    return share
  }

  #open(): Begun {
    if (this.#state === 'gone') throw removed(this.root)
    if (this.#state === 'closed' || this.#begun === undefined) throw notOpen(this.root)
    return this.#begun
  }

  async #end(): Promise<void> {
    await this.#begun?.files.close()
    await this.#begun?.borders.close()
    this.#closed()
  }
}

const ZEROS = new Uint8Array(64 << 10)

/** Where nothing was ever written, there are zeros. */
function isBlank(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length)
    if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0) return false
  }
  return true
}

function notTheTorrents(path: string, other: string | undefined): ShareError {
  const hint = 'move it away, or choose another target with -o'
  if (other === undefined)
    return new ShareError(
      'TARGET_EXISTS',
      `${path} exists already, and no piece of the torrent is in it`,
      hint,
    )
  return new ShareError(
    'TARGET_EXISTS',
    `${path} exists already, and holds what is not the torrent's: ${JSON.stringify(other)}`,
    hint,
  )
}
