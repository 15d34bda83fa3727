/**
 * Who this node is: one Ed25519 private key in the home, as a libp2p protobuf. The peer id follows from it, and
 * everyone who knows this node knows it by that id; so a key that cannot be used is reported, never replaced.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, type FileHandle, link, mkdir, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { errno, ShareError } from '../core/errors.ts'

/** In the home. */
export const KEY_FILE = 'key'

/** An Ed25519 key is 68 bytes (100 with the old, redundant public key); more is some other file. */
const MAX_KEY_BYTES = 256

/**
 * Reads the node's private key, creating it and the home where they are missing.
 * @throws ShareError BAD_CONFIG when others can read the key or it is not one; UNREADABLE, DISK_FULL, …
 */
export async function loadPrivateKey(home: string): Promise<Ed25519PrivateKey> {
  try {
    await makeHome(home)
    const path = join(home, KEY_FILE)
    return (await readKey(path)) ?? (await createKey(home, path))
  } catch (thrown) {
    throw ShareError.from(thrown, `read the node's key in ${home}`)
  }
}

/** Creates the home for its owner alone. One that is there already keeps its mode: it may hold more than ours. */
async function makeHome(home: string): Promise<void> {
  const created = await mkdir(home, { recursive: true, mode: 0o700 })
  if (created !== undefined) await chmod(home, 0o700)
}

async function readKey(path: string): Promise<Ed25519PrivateKey | undefined> {
  let file: FileHandle
  try {
    file = await open(path, constants.O_RDONLY)
  } catch (thrown) {
    if (errno(thrown) === 'ENOENT') return undefined
    throw thrown
  }
  try {
    const { mode, size } = await file.stat()
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw exposed(path, mode)
    if (size > MAX_KEY_BYTES) throw damaged(path)
    return await decodeKey(path, await file.readFile())
  } finally {
    await file.close()
  }
}

async function decodeKey(path: string, bytes: Uint8Array): Promise<Ed25519PrivateKey> {
  try {
    const key = privateKeyFromProtobuf(bytes)
    // the file holds both halves: a flipped bit in either shows only in a signature
    const signature = key.type === 'Ed25519' ? await key.sign(bytes) : undefined
    if (key.type !== 'Ed25519' || signature === undefined) throw new Error(`the key type is ${key.type}`)
    if (!(await key.publicKey.verify(bytes, signature))) throw new Error('its two halves do not match')
    return key
  } catch (cause) {
    throw damaged(path, cause)
  }
}

/** A crash leaves the whole key or none; of two processes that create it at once, both use the first one's. */
async function createKey(home: string, path: string): Promise<Ed25519PrivateKey> {
  const key = await generateKeyPair('Ed25519')
  const draft = `${path}.${randomUUID()}.new`
  const file = await open(draft, 'wx', 0o600)
  try {
    await file.writeFile(privateKeyToProtobuf(key))
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    // a link fails where a rename would replace
    await link(draft, path)
  } catch (thrown) {
    const first = errno(thrown) === 'EEXIST' ? await readKey(path) : undefined
    if (first === undefined) throw thrown
    return first
  } finally {
    await unlink(draft)
  }
  await syncDirectory(home)
  return key
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function exposed(path: string, mode: number): ShareError {
  const bits = (mode & 0o777).toString(8)
  return new ShareError(
    'BAD_CONFIG',
    `others can read the private key ${path} (mode ${bits})`,
    `run: chmod 600 ${path}; if others may have copied it, move it away and get a new identity`,
  )
}

function damaged(path: string, cause?: unknown): ShareError {
  return new ShareError(
    'BAD_CONFIG',
    `${path} is not a usable Ed25519 private key`,
    'restore it from a backup, or move it away to start with a new identity',
    { cause },
  )
}
