/** Positioned reads and writes that go on until everything has moved, and what their errors mean. */
import { readSync, writeSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

/** Fills `into` from the file; gives how many bytes there were. */
export async function readFully(handle: FileHandle, into: Uint8Array, position: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) return done
    done += bytesRead
  }
  return done
}

export async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** The same without waiting, for threads that do nothing else. */
export function readFullySync(fd: number, into: Uint8Array, position: number): number {
  let done = 0
  while (done < into.length) {
    const bytesRead = readSync(fd, into, done, into.length - done, position + done)
    if (bytesRead === 0) return done
    done += bytesRead
  }
  return done
}

export function writeFullySync(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}
