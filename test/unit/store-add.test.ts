import assert from 'node:assert/strict'
import { readdir, rename, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { CID } from 'multiformats/cid'
import { identity } from 'multiformats/hashes/identity'
import { RAW } from '../../src/core/cid.ts'
import {
  addInPlace,
  bytes,
  type Leaves,
  makeFile,
  makeTree,
  putNodes,
  tempDir,
  tempStore,
  writeFiles,
} from './store-fixture.ts'

const FILES = {
  'a.txt': bytes(2500, 1),
  empty: new Uint8Array(0),
  'sub/b.bin': bytes(800, 2),
  'sub/twice': bytes(800, 2),
}

describe('a share in place', () => {
  for (const leaves of ['raw', 'file-wrapped'] as Leaves[]) {
    it(`serves every ${leaves} block from its files, under CIDv1 and v0 alike`, async (t) => {
      const dir = await tempDir(t)
      const share = makeTree(FILES, leaves)
      const store = await tempStore(t, join(dir, 'home'))
      await addInPlace(store, share, join(dir, 'data'))
      for (const [piece, block] of share.blocks.entries()) {
        assert.deepEqual(Buffer.from((await store.readPiece(share.key, piece)) ?? []), Buffer.from(block))
        const cid = share.manifest.pieces.cid(piece)
        assert.deepEqual(Buffer.from((await store.getBlock(cid)) ?? []), Buffer.from(block))
        assert.equal(await store.blockSize(cid), block.length)
        assert.deepEqual(await store.locate(cid), [{ root: share.key, piece }])
      }
      for (const { cid, block } of share.nodes) {
        const v0 = CID.createV0(cid.multihash as Parameters<typeof CID.createV0>[0])
        assert.deepEqual(Buffer.from((await store.getBlock(v0)) ?? []), Buffer.from(block))
        assert.equal(await store.blockSize(v0), block.length)
      }
      assert.deepEqual(await store.verify(share.key, {}), [])
    })
  }

  it('keeps no second copy of the leaves', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES)
    const store = await tempStore(t, join(dir, 'home'))
    await addInPlace(store, share, join(dir, 'data'))
    const files = await readdir(join(dir, 'home', 'blocks'), { recursive: true })
    assert.equal(files.filter((name) => name.endsWith('.data')).length, share.nodes.length)
  })

  it('is there again after a restart, with its manifest and counters', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES)
    const before = await tempStore(t, join(dir, 'home'))
    await addInPlace(before, share, join(dir, 'data'))
    before.count(share.key, { uploaded: 5 })
    before.count(share.key, { uploaded: 2, downloaded: 1 })
    await before.close()
    const store = await tempStore(t, join(dir, 'home'))
    const row = store.share(share.key)
    assert.equal(row?.phase, 'complete')
    assert.equal(row?.uploaded, 7)
    assert.equal(row?.downloaded, 1)
    assert.equal(row?.pieces, share.blocks.length)
    assert.deepEqual((await store.manifest(share.key))?.entries, share.manifest.entries)
    assert.deepEqual(
      Buffer.from((await store.readPiece(share.key, 0)) ?? []),
      Buffer.from(share.blocks[0] ?? []),
    )
  })

  const changes: [string, RegExp, (file: string) => Promise<unknown>][] = [
    ['one byte differs', /content changed/, async (file) => writeFile(file, flipped(FILES['a.txt'], 1700))],
    ['it is shorter', /size changed/, async (file) => truncate(file, 100)],
    ['it is longer', /size changed/, async (file) => truncate(file, 100_000)],
    ['it is gone', /missing/, async (file) => rm(file)],
    ['it was moved away', /missing/, async (file) => rename(file, `${file}.old`)],
    ['it is a directory', /missing|regular file|EISDIR|size/, async (file) => replaceByDirectory(file)],
  ]
  for (const [what, reason, change] of changes) {
    it(`turns damaged and serves nothing when ${what}`, async (t) => {
      const dir = await tempDir(t)
      const share = makeTree(FILES)
      const store = await tempStore(t, join(dir, 'home'))
      const file = join(dir, 'data', 'a.txt')
      await addInPlace(store, share, join(dir, 'data'))
      const told: string[] = []
      store.onDamage((root) => told.push(root))
      for (const piece of share.blocks.keys()) assert.ok(await store.readPiece(share.key, piece))
      await change(file)
      assert.equal(await store.readPiece(share.key, 1), undefined)
      assert.deepEqual(told, [share.key])
      const [damage] = store.share(share.key)?.damaged ?? []
      assert.equal(damage?.file, file)
      assert.match(damage?.reason ?? '', reason)
      assert.equal(await store.readPiece(share.key, 3), undefined, 'a piece of an unharmed file')
    })
  }

  it('is whole again once the file is restored and verified', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES)
    const store = await tempStore(t, join(dir, 'home'))
    const file = join(dir, 'data', 'a.txt')
    await addInPlace(store, share, join(dir, 'data'))
    await writeFile(file, flipped(FILES['a.txt'], 0))
    assert.deepEqual(await store.verify(share.key, {}), [{ file, reason: 'its content changed' }])
    assert.equal(await store.readPiece(share.key, 3), undefined)
    await writeFile(file, FILES['a.txt'])
    assert.equal(await store.readPiece(share.key, 3), undefined, 'not before it is verified')
    assert.deepEqual(await store.verify(share.key, {}), [])
    assert.deepEqual(store.share(share.key)?.damaged, [])
    assert.ok(await store.readPiece(share.key, 3))
  })

  it('notices a change that keeps size and modification time', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(2500, 3))
    const file = join(dir, 'file')
    const store = await tempStore(t, join(dir, 'home'))
    await addInPlace(store, share, file)
    const { atime, mtime } = await stat(file)
    assert.ok(await store.readPiece(share.key, 0))
    await writeFile(file, flipped(bytes(2500, 3), 10))
    await utimes(file, atime, mtime)
    assert.equal(await store.readPiece(share.key, 0), undefined)
  })

  it('verify sees what no piece covers: an empty file gone, a small v0 file changed', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES, 'file-wrapped')
    const store = await tempStore(t, join(dir, 'home'))
    await addInPlace(store, share, join(dir, 'data'))
    await rm(join(dir, 'data', 'empty'))
    await writeFile(join(dir, 'data', 'sub/b.bin'), flipped(FILES['sub/b.bin'], 5))
    assert.deepEqual(await store.verify(share.key, {}), [
      { file: join(dir, 'data', 'empty'), reason: 'missing' },
      { file: join(dir, 'data', 'sub/b.bin'), reason: 'its content changed' },
    ])
  })

  it('says how far verify is, and stops when told', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES)
    const store = await tempStore(t, join(dir, 'home'))
    await addInPlace(store, share, join(dir, 'data'))
    const progress: number[] = []
    await store.verify(share.key, { onProgress: (done) => progress.push(done) })
    assert.deepEqual(progress, [1000, 2000, 2500, 3300, 4100])
    const stopped = AbortSignal.abort(new Error('enough'))
    await assert.rejects(store.verify(share.key, { signal: stopped }), /enough/)
  })
})

describe('other blocks', () => {
  it('a copied share is served after its file is deleted', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(2500, 4))
    const store = await tempStore(t, join(dir, 'home'))
    const release = store.hold()
    await putNodes(store, share)
    for (const [piece, block] of share.blocks.entries())
      await store.putBlock(share.manifest.pieces.cid(piece), block)
    await store.addShare({
      manifest: share.manifest,
      inlines: [],
      name: 'f',
      path: join(dir, 'f'),
      copied: true,
      added: undefined,
    })
    release()
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
    for (const [piece, block] of share.blocks.entries()) {
      assert.deepEqual(Buffer.from((await store.readPiece(share.key, piece)) ?? []), Buffer.from(block))
    }
    assert.deepEqual(await store.verify(share.key, {}), [])
  })

  it('identity CIDs carry their own block', async (t) => {
    const store = await tempStore(t, await tempDir(t))
    const cid = CID.createV1(RAW, identity.digest(Uint8Array.of(1, 2, 3)))
    assert.deepEqual(await store.getBlock(cid), Uint8Array.of(1, 2, 3))
    assert.equal(await store.blockSize(cid), 3)
  })

  it('a block that rotted on disk counts as missing and can be put again', async (t) => {
    const home = await tempDir(t)
    const store = await tempStore(t, home)
    const [node] = makeFile(bytes(2500, 5)).nodes
    assert.ok(node)
    await store.putBlock(node.cid, node.block)
    const names = await readdir(join(home, 'blocks'), { recursive: true })
    const file = join(home, 'blocks', names.find((name) => name.endsWith('.data')) ?? '')
    await writeFile(file, flipped(node.block, 3))
    assert.equal(await store.getBlock(node.cid), undefined)
    assert.equal(await store.blockSize(node.cid), undefined, 'it was deleted')
    await store.putBlock(node.cid, node.block)
    assert.deepEqual(Buffer.from((await store.getBlock(node.cid)) ?? []), Buffer.from(node.block))
  })

  it('writing one block many times at once leaves it whole', async (t) => {
    const store = await tempStore(t, await tempDir(t))
    const [node] = makeFile(bytes(2500, 6)).nodes
    assert.ok(node)
    await Promise.all(Array.from({ length: 8 }, () => store.putBlock(node.cid, node.block)))
    assert.deepEqual(Buffer.from((await store.getBlock(node.cid)) ?? []), Buffer.from(node.block))
  })
})

describe('removing', () => {
  it('forgets the share and leaves the user’s files', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES)
    const store = await tempStore(t, join(dir, 'home'))
    await addInPlace(store, share, join(dir, 'data'))
    await store.remove(share.key)
    assert.equal(store.share(share.key), undefined)
    assert.equal(await store.manifest(share.key), undefined)
    assert.deepEqual(await store.locate(share.manifest.pieces.cid(0)), [])
    assert.deepEqual((await readdir(join(dir, 'data'))).sort(), ['a.txt', 'empty', 'sub'])
  })
})

function flipped(content: Uint8Array, at: number): Uint8Array {
  const changed = content.slice()
  changed[at] = (changed[at] ?? 0) ^ 1
  return changed
}

async function replaceByDirectory(file: string): Promise<void> {
  await rm(file)
  await writeFiles(makeTree({ inside: bytes(10, 1) }), file)
}
