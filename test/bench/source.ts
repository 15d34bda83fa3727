/** The file that is shared: noise, so that nobody can compress it. */
import { createHash, randomFillSync } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/** Bytes written at once. */
const CHUNK = 1 << 20

export class Source {
  readonly path: string
  readonly #hash: string

  private constructor(path: string, hash: string) {
    this.path = path
    this.#hash = hash
  }

  /** Makes the file; `size` is a multiple of a MiB. */
  static async make(path: string, size: number): Promise<Source> {
    const chunk = Buffer.alloc(CHUNK)
    await using file = await open(path, 'wx')
    for (let at = 0; at < size; at += CHUNK) await file.write(randomFillSync(chunk))
    return new Source(path, await hashOf(path))
  }

  /** @throws Error when the file there is another one */
  async check(path: string): Promise<void> {
    if ((await hashOf(path)) !== this.#hash) throw new Error(`${path} is not what was shared`)
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: CHUNK }), hash)
  return hash.digest('hex')
}
