/** Trees on disk for tests: written from a plain object, removed afterwards. */
import { createCipheriv, hash } from 'node:crypto'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

/** A directory by name; a file by its content; a symlink by its target after `->`. */
export interface TreeSpec {
  readonly [name: string]: TreeSpec | Uint8Array | `->${string}`
}

export async function temporary(test: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'share-content-'))
  test.after(() => rm(path, { recursive: true, force: true }))
  return path
}

export function writeTree(path: string, spec: TreeSpec): void {
  mkdirSync(path)
  for (const [name, value] of Object.entries(spec)) {
    const below = join(path, name)
    if (value instanceof Uint8Array) writeFileSync(below, value)
    else if (typeof value === 'string') symlinkSync(value.slice(2), below)
    else writeTree(below, value)
  }
}

/** Bytes that a seed determines: the ChaCha20 key stream under the SHA-256 of the seed, as kubo's own tests make them; `from` is a multiple of 64. */
export function* seededBytes(size: number, seed: string, from = 0): Generator<Buffer> {
  const counterAndNonce = Buffer.alloc(16)
  counterAndNonce.writeUInt32LE(from / 64)
  const cipher = createCipheriv('chacha20', hash('sha256', seed, 'buffer'), counterAndNonce)
  for (let left = size; left > 0; left -= 2 ** 20) yield cipher.update(Buffer.alloc(Math.min(left, 2 ** 20)))
}

/** `count` names of `length` characters, the last one of `lastLength`, from the bytes that a seed determines. */
export function seededNames(count: number, length: number, lastLength: number, seed: string): string[] {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz01234567890-_'
  const bytes = Buffer.concat([...seededBytes(2 ** 20, seed)])
  let at = 0
  return Array.from({ length: count }, (_, index) => {
    const size = index === count - 1 ? lastLength : length
    const name = Array.from(bytes.subarray(at, at + size), (byte) => alphabet[byte % alphabet.length]).join(
      '',
    )
    at += size
    return name
  })
}

const text = (value: string): Buffer => Buffer.from(value)

/** Trees whose CIDs kubo computed (`fixtures/content/kubo-trees.json`). */
export const GOLDEN_TREES: Readonly<Record<string, TreeSpec>> = {
  empty: {},
  names: {
    '.hidden': text('hidden'),
    'with space': text('space'),
    'Grüße 你好 🎈': text('unicode'),
    a: text('a'),
    Z: text('Z'),
    'a.b': { inner: text('nested') },
    'empty file': text(''),
    'empty directory': {},
  },
  symlinks: {
    file: text('target'),
    directory: { back: '->../file', self: '->.' },
    'to file': '->file',
    'to directory': '->directory',
    dangling: '->nowhere/at all',
  },
  chunks: {
    exactly: Buffer.concat([...seededBytes(2 ** 20, 'exactly')]),
    more: Buffer.concat([...seededBytes(2 ** 20 + 1, 'more')]),
    zeros: Buffer.alloc(5 * 2 ** 20 + 17),
  },
  subdirectories: Object.fromEntries(seededNames(1200, 200, 200, 'subdirectories').map((name) => [name, {}])),
  'sharded below': {
    many: Object.fromEntries(
      seededNames(1200, 200, 200, 'sharded below').map((name, at) => [
        name,
        at % 3 === 0 ? { x: text('x') } : at % 3 === 1 ? text(name) : '->here',
      ]),
    ),
    few: { one: text('1') },
  },
}
