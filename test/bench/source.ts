/** What is shared: noise, so that nobody can compress it; one file, or a directory of many. */
import { createHash, type Hash, randomFillSync } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes written at once. */
const CHUNK = 1 << 20

/** Files in a directory of the tree, about as many as people put there. */
const FILES_A_DIRECTORY = 100

export class Source {
  readonly path: string
  readonly #hash: string

  private constructor(path: string, hash: string) {
    this.path = path
    this.#hash = hash
  }

  /** Makes a file of so many bytes. */
  static async make(path: string, size: number): Promise<Source> {
    const chunk = Buffer.alloc(CHUNK)
    await using file = await open(path, 'wx')
    for (let at = 0; at < size; at += CHUNK)
      await file.write(randomFillSync(chunk), 0, Math.min(CHUNK, size - at))
    return new Source(path, await hashOf(path))
  }

  /** Makes a directory of so many files of so many bytes each. */
  static async makeTree(path: string, files: number, size: number): Promise<Source> {
    const bytes = Buffer.alloc(size)
    for (let at = 0; at < files; at++) {
      const directory = join(path, String(Math.floor(at / FILES_A_DIRECTORY)))
      if (at % FILES_A_DIRECTORY === 0) await mkdir(directory, { recursive: true })
      await writeFile(join(directory, String(at)), randomFillSync(bytes))
    }
    return new Source(path, await hashOf(path))
  }

  /** @throws Error when what is there is something else */
  async check(path: string): Promise<void> {
    if ((await hashOf(path)) !== this.#hash) throw new Error(`${path} is not what was shared`)
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await feed(hash, path)
  return hash.digest('hex')
}

/** Of a directory the names and all that is in them, in the order of the names. */
async function feed(hash: Hash, path: string): Promise<void> {
  if (!(await stat(path)).isDirectory()) {
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) hash.update(chunk)
    return
  }
  for (const name of (await readdir(path)).sort()) {
    hash.update(`\0${name}\0`)
    await feed(hash, join(path, name))
  }
}
