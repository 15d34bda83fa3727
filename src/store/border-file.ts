/**
 * Bytes of files that were not asked for, which came with pieces that reach into them. They lie in the home, one file a
 * torrent, so that nothing of them appears among the files that were asked for.
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'
import { readFully, writeFully } from './positioned.ts'

export class BorderFile {
  readonly #handle: FileHandle | undefined
  /** It has its full size, as a former run left it. */
  readonly intact: boolean

  private constructor(handle: FileHandle | undefined, intact: boolean) {
    this.#handle = handle
    this.intact = intact
  }

  static pathIn(directory: string, root: RootKey): string {
    return join(directory, root)
  }

  /** Without bytes to keep there is no file. */
  static async open(directory: string, root: RootKey, bytes: number): Promise<BorderFile> {
    if (bytes === 0) return new BorderFile(undefined, true)
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const path = BorderFile.pathIn(directory, root)
      const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600)
      const intact = (await handle.stat()).size === bytes
      if (!intact) await handle.truncate(bytes)
      return new BorderFile(handle, intact)
    } catch (thrown) {
      throw ShareError.from(thrown, `keep the borders of ${root}`)
    }
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    if (this.#handle === undefined) return
    await writeFully(this.#handle, bytes, offset).catch((thrown: unknown) => {
      throw ShareError.from(thrown, 'write into the home')
    })
  }

  /** Gives how many bytes there were. */
  async read(offset: number, into: Uint8Array): Promise<number> {
    return this.#handle === undefined ? 0 : readFully(this.#handle, into, offset)
  }

  async sync(): Promise<void> {
    await this.#handle?.datasync()
  }

  async close(): Promise<void> {
    await this.#handle?.close()
  }
}
