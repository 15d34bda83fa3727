/**
 * A file that the user chose, written straight to disk. Browsers that have this (Chrome and its kin, where the page came
 * encrypted or from this machine) write beside it, and put it in place when it is closed.
 */
import type { Sink } from './sink.ts'

interface FilePicker {
  showSaveFilePicker(options: { suggestedName: string }): Promise<FileSystemFileHandle>
}

export const canPickFiles = (window: object): window is FilePicker => 'showSaveFilePicker' in window

/** Asks the user; undefined when he chose nothing. Only in answer to a click. */
export async function pickFile(window: FilePicker, name: string): Promise<Sink | undefined> {
  try {
    const handle = await window.showSaveFilePicker({ suggestedName: name })
    return new DiskSink(await handle.createWritable())
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'AbortError') return undefined
    throw thrown
  }
}

class DiskSink implements Sink {
  readonly #file: FileSystemWritableFileStream
  at = 0

  constructor(file: FileSystemWritableFileStream) {
    this.#file = file
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#file.write(bytes)
    this.at += bytes.length
  }

  /** Each write is done when it returns. */
  async flush(): Promise<void> {}

  async finish(): Promise<void> {
    await this.#file.close()
  }

  async discard(): Promise<void> {
    await this.#file.abort()
  }
}
