/**
 * The catalogue: a LevelDB of small rows by root (`share`, `manifest`, `have`, `wraps`, `metainfo`, and the
 * digests of torrents) and of block places by digest. Writes go in the order they were asked for, one batch at a time; a batch is atomic.
 */
import { ClassicLevel } from 'classic-level'
import { ShareError } from '../core/errors.ts'
import { type RootKey, rootKey } from '../core/types.ts'
import type { DigestKind } from './types.ts'

export type RowKind = 'share' | 'manifest' | 'have' | 'wraps' | 'metainfo' | DigestKind

export type Change =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

/** `durable`: on the disk when the call returns. `soon`: survives a crash of the program, perhaps not of the machine. */
export type When = 'durable' | 'soon'

const VIEWS = { keyEncoding: 'view', valueEncoding: 'view' } as const

/** Ends a kind's name in a key; the byte after it ends the range of that kind. */
const SEPARATOR = '!'
const AFTER_SEPARATOR = '"'

export class Catalogue {
  readonly #db: ClassicLevel<Uint8Array, Uint8Array>
  #writes: Promise<unknown> = Promise.resolve()

  private constructor(db: ClassicLevel<Uint8Array, Uint8Array>) {
    this.#db = db
  }

  /** Opens it and takes LevelDB's lock. @throws what LevelDB throws; `isLocked` tells when another process holds it */
  static async open(location: string): Promise<Catalogue> {
    const db = new ClassicLevel<Uint8Array, Uint8Array>(location, VIEWS)
    await db.open()
    return new Catalogue(db)
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#db.get(key)
  }

  getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#db.getMany(keys)
  }

  /** @throws ShareError DISK_FULL, IO; then all later writes fail too, until it is opened anew */
  write(changes: Change[], when: When): Promise<void> {
    const write = this.#writes
      .then(() => this.#db.batch(changes, { ...VIEWS, sync: when === 'durable' }))
      .catch((thrown: unknown) => {
        throw notWritten(thrown)
      })
    this.#writes = write.catch(() => undefined)
    return write
  }

  /** Every row of a kind. */
  async *rows(kind: RowKind): AsyncGenerator<[RootKey, Uint8Array]> {
    const from = Buffer.from(kind + SEPARATOR)
    for await (const [key, value] of this.#db.iterator({
      gt: from,
      lt: Buffer.from(kind + AFTER_SEPARATOR),
    })) {
      yield [rootKey(Buffer.from(key.subarray(from.length)).toString()), value]
    }
  }

  /** Every row of the block index. */
  blocks(): AsyncIterable<[Uint8Array, Uint8Array]> {
    return this.#db.iterator({ gt: Buffer.from(BLOCK), lt: Buffer.from(`block${AFTER_SEPARATOR}`) })
  }

  async close(): Promise<void> {
    await this.#writes
    await this.#db.close()
  }
}

export function rowOf(kind: RowKind, root: RootKey): Uint8Array {
  return Buffer.from(kind + SEPARATOR + root)
}

const BLOCK = `block${SEPARATOR}`

export function blockRow(digest: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(BLOCK), digest])
}

/** The row that holds the next free slot. */
export const NEXT_SLOT: Uint8Array = Buffer.from('slot')

/** The row that holds the version of all of them. */
export const VERSION: Uint8Array = Buffer.from('version')

/** True when opening failed because another process, or this one, holds the database. */
export function isLocked(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ('code' in error && error.code === 'LEVEL_LOCKED') return true
  }
  return false
}

/** LevelDB says in words what the system said. */
function notWritten(thrown: unknown): ShareError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  const [code, next] = /no space|ENOSPC/i.test(reason)
    ? (['DISK_FULL', 'free some space'] as const)
    : (['IO', 'check the disk'] as const)
  const hint = `${next}, then start the daemon again with \`share daemon stop\` and \`share daemon start\``
  return new ShareError(code, `the catalogue could not be written: ${reason}`, hint, { cause: thrown })
}
