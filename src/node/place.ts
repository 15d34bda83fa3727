/** Where a `get` puts its bytes, and copies of what is here already. */
import { mkdir, open, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { CID } from 'multiformats/cid'
import { readFile } from '../content/file.ts'
import type { Entry } from '../content/manifest.ts'
import { nameProblem } from '../content/safe-names.ts'
import { walkManifest } from '../content/walk.ts'
import { ShareError } from '../core/errors.ts'
import { kindAt, placeAt, syncDirectory, targetExists } from '../store/place.ts'

/** As `cp` does it: into a directory that exists, else under the very name. @throws ShareError NOT_FOUND, BAD_PATH */
export async function placeFor(output: string | undefined, name: string): Promise<string> {
  const wanted = resolve(output ?? '.')
  const isDirectory = await stat(wanted).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isDirectory) {
    const problem = nameProblem(name)
    if (problem !== undefined)
      throw new ShareError(
        'BAD_PATH',
        `the share's name cannot be a file name here: ${problem}`,
        'name the target with -o',
      )
    return join(wanted, name)
  }
  const parent = dirname(wanted)
  const parentExists = await stat(parent).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (output?.endsWith('/') === true || !parentExists) {
    throw new ShareError(
      'NOT_FOUND',
      `there is no directory ${parentExists ? wanted : parent}`,
      'make it first, or choose another target with -o',
    )
  }
  return wanted
}

/** Writes a tree that is wholly here to a further place, block by verified block. */
export async function copyOut(
  root: CID,
  target: string,
  getBlock: (cid: CID) => Promise<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if ((await kindAt(target)) !== undefined) throw targetExists(target)
  const partial = `${target}.part`
  if ((await kindAt(partial)) !== undefined) throw targetExists(partial)
  const reading = { getBlock, ...(signal !== undefined && { signal }) }
  const { manifest, events } = walkManifest(root, { fetchNode: getBlock })
  try {
    for await (const event of events) if (event.type === 'entries') break
    for (const entry of manifest.entries) await writeEntry(entry, join(partial, entry.path), reading)
    await placeAt(manifest.entries[0]?.kind ?? 'file', partial, target)
    await syncDirectory(dirname(target))
  } catch (thrown) {
    await rm(partial, { recursive: true, force: true })
    throw ShareError.from(thrown, `write ${target}`)
  }
}

async function writeEntry(
  entry: Entry,
  path: string,
  reading: Parameters<typeof readFile>[1],
): Promise<void> {
  if (entry.kind === 'directory') return void (await mkdir(path))
  if (entry.kind === 'symlink') return symlink(entry.target, path)
  const handle = await open(path, 'wx')
  try {
    for await (const bytes of readFile(entry.cid, reading)) await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
