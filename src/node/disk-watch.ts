/**
 * A floor of free space. A download whose disk has less stops as one whose disk is full does, while all that is here is served on;
 * once there is room again for what it lacks, it goes on by itself.
 */
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import { FREE_FLOOR } from '../store/partial.ts'

/** Between two looks, in milliseconds: at 1 GB/s a disk loses 5 GB meanwhile, and then the write says so. */
const LOOK_MS = 5_000

/** A download, as the watch sees it. */
export interface Watched {
  readonly root: RootKey
  /** Its target. */
  readonly path: string
  /** It stopped for want of space. */
  readonly starved: boolean
  /** Bytes that are still to come. */
  readonly lacks: number
}

export interface DiskWatchContext {
  downloads(): readonly Watched[]
  starve(root: RootKey, error: ShareError): void
  resume(root: RootKey): Promise<void>
  readonly log: (line: string) => void
}

export class DiskWatch {
  readonly #context: DiskWatchContext
  readonly #timer: NodeJS.Timeout
  #looking = false

  constructor(context: DiskWatchContext) {
    this.#context = context
    this.#timer = setInterval(() => void this.look(), LOOK_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      for (const download of this.#context.downloads()) await this.#judge(download)
    } finally {
      this.#looking = false
    }
  }

  async #judge({ root, path, starved, lacks }: Watched): Promise<void> {
    const free = await freeAt(dirname(path))
    if (free === undefined) return
    if (!starved && free < FREE_FLOOR) this.#context.starve(root, belowFloor(path, free))
    // twice the floor, or it would stop again with the next file that somebody writes
    if (!starved || free < 2 * FREE_FLOOR + lacks) return
    this.#context.log(`${root}: there is space again, going on`)
    await this.#context.resume(root).catch((thrown: unknown) => {
      this.#context.log(`${root}: ${ShareError.from(thrown).message}`)
    })
  }
}

/** Bytes that may be written there; undefined when nobody can tell, as when the directory is gone. */
async function freeAt(directory: string): Promise<number | undefined> {
  return statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => undefined,
  )
}

function belowFloor(path: string, free: number): ShareError {
  const mebibytes = (bytes: number): number => Math.floor(bytes / 2 ** 20)
  const message = `only ${mebibytes(free)} MiB are free in ${dirname(path)}, and ${mebibytes(FREE_FLOOR)} are left to others`
  return new ShareError('DISK_FULL', message, 'free some space: the download goes on by itself then')
}
