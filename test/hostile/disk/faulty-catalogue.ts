/**
 * The database under the same faults. LevelDB's own files are its own matter: its batches are atomic, and kept in order. A batch
 * may fail, and then all later ones do, as LevelDB has it; and when the power goes, the last of those not synced may be lost.
 */
import { ClassicLevel } from 'classic-level'
import type { Prng } from '../../../src/core/prng.ts'
import type { FaultyDisk } from './faulty-disk.ts'

type Key = Uint8Array
type Operation = { type: 'put'; key: Key; value: Uint8Array } | { type: 'del'; key: Key }
type Level = ClassicLevel<Key, Uint8Array>

const VIEWS = { keyEncoding: 'view', valueEncoding: 'view' } as const

type Batch = (
  this: Level,
  operations: Operation[],
  options: { sync?: boolean; keyEncoding?: string; valueEncoding?: string },
) => Promise<void>
const real = ClassicLevel.prototype.batch as unknown as Batch

export class FaultyCatalogue {
  readonly #disk: FaultyDisk
  readonly #broken = new WeakSet<object>()
  /** Before-images of the batches that were not synced, oldest first. */
  #unsynced: Operation[][] = []

  constructor(disk: FaultyDisk) {
    this.#disk = disk
  }

  install(): void {
    const batch = (level: Level, operations: Operation[], options: { sync?: boolean }) =>
      this.#batch(level, operations, options)
    Object.assign(ClassicLevel.prototype, {
      batch(this: Level, operations: Operation[], options: { sync?: boolean }) {
        return batch(this, operations, options)
      },
    })
  }

  remove(): void {
    Object.assign(ClassicLevel.prototype, { batch: real })
  }

  /** Takes back some of the last batches that were not synced, in the closed database there. */
  async lose(location: string, prng: Prng): Promise<void> {
    const lost = this.#unsynced.slice(prng.below(this.#unsynced.length + 1)).reverse()
    if (lost.length === 0) return
    const level = new ClassicLevel<Key, Uint8Array>(location, VIEWS)
    await level.open()
    for (const operations of lost) await real.call(level, operations, VIEWS)
    await level.close()
  }

  async #batch(level: Level, operations: Operation[], options: { sync?: boolean }): Promise<void> {
    if (this.#broken.has(level)) throw new Error('the database has failed before')
    const keys = operations.map(({ key }) => key)
    const before = await level.getMany(keys)
    try {
      this.#disk.enter('a batch')
    } catch (thrown) {
      this.#broken.add(level)
      throw thrown
    }
    await real.call(level, operations, options)
    if (options.sync === true) this.#unsynced = []
    else
      this.#unsynced.push(
        before.map((value, at) => {
          const key = keys[at] ?? new Uint8Array(0)
          return value === undefined ? { type: 'del', key } : { type: 'put', key, value: Buffer.from(value) }
        }),
      )
  }
}
