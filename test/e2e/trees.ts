/** Files for tests: how to make them, and what lies where. */
import assert from 'node:assert/strict'
import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'

export const MIB = 1 << 20

/** Both paths hold the same: a file, or a tree with all its names, bytes and links. */
export async function assertSame(actual: string, expected: string): Promise<void> {
  const [here, there] = await Promise.all([snapshot(actual), snapshot(expected)])
  const differences = new Set([...here, ...there].filter((line) => !here.has(line) || !there.has(line)))
  assert.deepEqual([...differences].slice(0, 10), [], `${actual} is not ${expected}`)
  assert.equal(here.size, there.size)
}

/** A line for every path below one, with what is there. */
async function snapshot(path: string): Promise<Set<string>> {
  const found = new Set<string>()
  await look(path, '.', found)
  return found
}

async function look(top: string, inside: string, found: Set<string>): Promise<void> {
  const path = join(top, inside)
  const stats = await lstat(path)
  if (stats.isFile()) found.add(`${inside}: ${stats.size} bytes, ${await digest(path)}`)
  else if (stats.isSymbolicLink()) found.add(`${inside}: symlink to ${await readlink(path)}`)
  else {
    found.add(`${inside}: directory`)
    for (const name of await readdir(path)) await look(top, join(inside, name), found)
  }
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

/** Bytes that a tree takes on the disk. */
export async function sizeOnDisk(path: string): Promise<number> {
  const stats = await lstat(path)
  let bytes = stats.blocks * 512
  if (stats.isDirectory()) for (const name of await readdir(path)) bytes += await sizeOnDisk(join(path, name))
  return bytes
}

/** Writes a file whose blocks all differ; the same seed makes the same bytes. */
export async function writeNoise(path: string, bytes: number, seed: number): Promise<void> {
  const key = createHash('sha256').update(String(seed)).digest().subarray(0, 16)
  // a cipher in counter mode turns zeros into a stream that never repeats
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  const zeros = Buffer.alloc(MIB)
  await using file = await open(path, 'w')
  for (let left = bytes; left > 0; left -= MIB)
    await file.writeFile(cipher.update(zeros.subarray(0, Math.min(left, MIB))))
}

/** The bytes that such a file has. */
export function noise(bytes: number, seed: number): Buffer {
  const key = createHash('sha256').update(String(seed)).digest().subarray(0, 16)
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes))
}
