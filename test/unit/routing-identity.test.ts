import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { ShareError } from '../../src/core/errors.ts'
import { loadPrivateKey } from '../../src/node/identity.ts'

describe('the private key', () => {
  let scratch: string
  let home: string
  let path: string

  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'share-identity-'))
    home = join(scratch, 'home')
    path = join(home, 'key')
  })

  afterEach(() => rm(scratch, { recursive: true }))

  /** A home with these bytes as its key, as its owner may read it. */
  async function homeWith(bytes: Uint8Array): Promise<void> {
    await mkdir(home)
    await writeFile(path, bytes, { mode: 0o600 })
  }

  it('is made once, for its owner alone, and stays the same', async () => {
    const first = await loadPrivateKey(home)
    const second = await loadPrivateKey(home)
    assert.equal(first.type, 'Ed25519')
    assert.ok(second.equals(first))
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    assert.equal((await stat(home)).mode & 0o777, 0o700)
    assert.deepEqual(await readdir(home), ['key'])
  })

  it('is one key when several processes make it at once', async () => {
    const keys = await Promise.all([1, 2, 3, 4].map(() => loadPrivateKey(home)))
    for (const key of keys) assert.ok(key.equals(keys[0]))
    assert.deepEqual(await readdir(home), ['key'])
  })

  it('leaves the mode of a home that was there', async () => {
    await mkdir(home)
    await chmod(home, 0o755)
    await loadPrivateKey(home)
    assert.equal((await stat(home)).mode & 0o777, 0o755)
  })

  it('is refused when others can read it', async () => {
    await loadPrivateKey(home)
    for (const mode of [0o640, 0o604, 0o644, 0o620]) {
      await chmod(path, mode)
      await assert.rejects(loadPrivateKey(home), (error) => {
        assert.ok(error instanceof ShareError)
        assert.equal(error.code, 'BAD_CONFIG')
        assert.match(error.message, new RegExp(`mode ${mode.toString(8)}`))
        assert.match(error.hint, /chmod 600/)
        return true
      })
    }
  })

  const good = generateKeyPair('Ed25519').then(privateKeyToProtobuf)
  const damages: [string, () => Promise<Uint8Array>][] = [
    ['empty', async () => new Uint8Array()],
    ['cut off', async () => (await good).subarray(0, 40)],
    ['not a protobuf', async () => new Uint8Array(68).fill(0xff)],
    ['too long', async () => new Uint8Array(100_000)],
    [
      'with one bit flipped in its public half',
      async () => (await good).map((b, at) => (at === 60 ? b ^ 1 : b)),
    ],
    [
      'with one bit flipped in its private half',
      async () => (await good).map((b, at) => (at === 10 ? b ^ 1 : b)),
    ],
    ['of another type', async () => privateKeyToProtobuf(await generateKeyPair('secp256k1'))],
  ]
  for (const [name, bytes] of damages) {
    it(`is refused when it is ${name}, and not replaced`, async () => {
      const before = await bytes()
      await homeWith(before)
      await assert.rejects(loadPrivateKey(home), (error) => {
        assert.ok(error instanceof ShareError)
        assert.equal(error.code, 'BAD_CONFIG')
        assert.match(error.message, /not a usable Ed25519 private key/)
        return true
      })
      assert.deepEqual(new Uint8Array(await readFile(path)), new Uint8Array(before))
    })
  }
})
