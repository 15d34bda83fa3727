/** A new file from a stream: under its name only when it is whole, and never in the place of another. */
import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ShareError } from '../core/errors.ts'
import { kindAt, placeAt, syncDirectory, targetExists } from '../store/place.ts'

/** @throws ShareError TARGET_EXISTS, NOT_FOUND for the directory, DISK_FULL, UNREADABLE; whatever the stream throws */
export async function writeNewFile(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  if ((await kindAt(path)) !== undefined) throw targetExists(path)
  // another name for each process: what one left when it was killed is not in the way
  const draft = `${path}.${process.pid}.part`
  try {
    await writeDurably(draft, chunks)
    await placeAt('file', draft, path)
    await syncDirectory(dirname(path))
  } catch (thrown) {
    await rm(draft, { force: true })
    throw ShareError.from(thrown, `write ${path}`)
  }
}

async function writeDurably(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await using file = await open(path, 'wx')
  for await (const chunk of chunks) await file.writeFile(chunk)
  await file.sync()
}
