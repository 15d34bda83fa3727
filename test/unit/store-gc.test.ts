import assert from 'node:assert/strict'
import { mkdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { NextToLast } from 'blockstore-fs/sharding'
import type { Store } from '../../src/store/types.ts'
import {
  addInPlace,
  bytes,
  cidOf,
  type MadeShare,
  makeFile,
  makeTree,
  putNodes,
  startDownload,
  tempDir,
  tempStore,
  writeFiles,
  writePieces,
} from './store-fixture.ts'

const LOOSE = bytes(300, 99)

describe('gc', () => {
  it('frees loose blocks and what a removed share alone needed', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const kept = makeTree({ a: bytes(1500, 1), 'sub/b': bytes(2500, 2) })
    const gone = makeTree({ c: bytes(3500, 3), 'sub/b': bytes(2500, 2) })
    await addInPlace(store, kept, join(dir, 'kept'))
    await addInPlace(store, gone, join(dir, 'gone'))
    await store.putBlock(cidOf(0x55, LOOSE), LOOSE)
    await store.remove(gone.key)
    // of gone: its root and the node of c; the node of b is one that kept needs too
    const own = gone.nodes.filter(({ cid }) => !kept.nodes.some((node) => node.cid.equals(cid)))
    assert.equal(own.length, 2)
    const bytesFreed = own.reduce((sum, { block }) => sum + block.length, LOOSE.length)
    assert.deepEqual(await store.gc(), { blocks: 3, bytes: bytesFreed })
    assert.equal(await present(store, kept), kept.nodes.length)
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
  })

  it('deletes nothing while a node that is needed cannot be read', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const share = makeTree({ a: bytes(1500, 1), 'sub/b': bytes(2500, 2) })
    await addInPlace(store, share, join(dir, 'data'))
    const { cid, block } = share.nodes.find((node) => node.cid.equals(share.root)) ?? assert.fail()
    const { dir: shard, file } = new NextToLast().encode(cid)
    const path = join(dir, 'home', 'blocks', shard, file)
    // there is something, and it cannot be read
    await rm(path)
    await mkdir(path)
    await assert.rejects(store.gc(), /EISDIR/)
    await rmdir(path)
    await store.putBlock(cid, block)
    assert.equal(await present(store, share), share.nodes.length)
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
  })

  it('keeps the leaves of copied shares, and frees them with the share', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const share = makeFile(bytes(2500, 4))
    await putNodes(store, share)
    for (const block of share.blocks) await store.putBlock(cidOf(0x55, block), block)
    await store.addShare({
      manifest: share.manifest,
      inlines: [],
      name: 'f',
      path: join(dir, 'f'),
      copied: true,
      added: undefined,
    })
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
    await store.remove(share.key)
    assert.equal((await store.gc()).blocks, share.blocks.length + share.nodes.length)
  })

  it('frees small v0 nodes that their file rebuilds, and goes on serving them', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const share = makeTree({ a: bytes(500, 5), b: bytes(700, 6) }, 'file-wrapped')
    await addInPlace(store, share, join(dir, 'data'))
    assert.equal((await store.gc()).blocks, 2)
    assert.equal(await present(store, share), share.nodes.length)
    assert.equal(await store.blockSize(share.nodes[0]?.cid ?? share.root), share.nodes[0]?.block.length)
    assert.deepEqual(await store.locate(share.nodes[0]?.cid ?? share.root), [], 'a node is no piece')
    await rm(join(dir, 'data', 'a'))
    assert.equal(await store.getBlock(share.nodes[0]?.cid ?? share.root), undefined)
    assert.equal(store.share(share.key)?.damaged.length, 1)
  })

  it('keeps small v0 nodes whose file has changed', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const share = makeTree({ a: bytes(500, 5) }, 'file-wrapped')
    await addInPlace(store, share, join(dir, 'data'))
    await rm(join(dir, 'data', 'a'))
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
  })

  it('keeps what an add in progress has put, until it is released', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const share = makeFile(bytes(2500, 7))
    const release = store.hold()
    await putNodes(store, share)
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
    release()
    assert.equal((await store.gc()).blocks, share.nodes.length)
  })

  it('keeps what an add in progress found here already', async (t) => {
    const store = await tempStore(t, join(await tempDir(t), 'home'))
    const share = makeFile(bytes(2500, 7))
    await putNodes(store, share)
    const release = store.hold()
    await putNodes(store, share)
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
    release()
  })

  it('keeps the nodes of a download, open or not', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const share = makeTree({ a: bytes(1500, 8) })
    const download = await store.openDownload({
      root: share.root,
      name: 'x',
      path: join(dir, 'x'),
      peers: [],
    })
    // not linked to anything yet: the root comes last
    await putNodes(store, share)
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
    await download.close()
    assert.deepEqual(await store.gc(), { blocks: 0, bytes: 0 })
  })

  it('loses nothing that is put while it runs', async (t) => {
    const store = await tempStore(t, join(await tempDir(t), 'home'))
    const shares = Array.from({ length: 12 }, (_, seed) => makeFile(bytes(2500, seed)))
    for (const share of shares) await putNodes(store, share)
    const running = store.gc()
    await Promise.all(shares.map((share) => putNodes(store, share)))
    await running
    for (const share of shares) assert.equal(await present(store, share), 1)
  })

  it('drops index rows that belong to no share', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const share = makeFile(bytes(2500, 9))
    const download = await store.openDownload({
      root: share.root,
      name: 'x',
      path: join(dir, 'x'),
      peers: [],
    })
    await download.begin(share.manifest)
    await download.extend()
    await download.close()
    await store.remove(share.key)
    await store.gc()
    // the same content added afterwards is found once
    await writeFiles(share, join(dir, 'data'))
    await putNodes(store, share)
    await store.addShare({
      manifest: share.manifest,
      inlines: [],
      name: 'f',
      path: join(dir, 'data'),
      copied: false,
      added: undefined,
    })
    assert.deepEqual(await store.locate(share.manifest.pieces.cid(0)), [{ root: share.key, piece: 0 }])
  })

  it('two shares of one leaf are both found, and either serves it', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const one = makeTree({ same: bytes(900, 1), x: bytes(900, 2) })
    const two = makeTree({ y: bytes(900, 3), same: bytes(900, 1) })
    await addInPlace(store, one, join(dir, 'one'))
    const download = await startDownload(store, two, join(dir, 'two'))
    await writePieces(download, two)
    const cid = one.manifest.pieces.cid(0)
    const locations = await store.locate(cid)
    assert.deepEqual(
      locations.map(({ root, piece }) => [root, piece]),
      [
        [one.key, 0],
        [two.key, 1],
      ],
    )
    await rm(join(dir, 'one', 'same'))
    assert.deepEqual(Buffer.from((await store.getBlock(cid)) ?? []), Buffer.from(bytes(900, 1)))
  })
})

async function present(store: Store, share: MadeShare): Promise<number> {
  const blocks = await Promise.all(share.nodes.map(({ cid }) => store.getBlock(cid)))
  return blocks.filter((block) => block !== undefined).length
}
