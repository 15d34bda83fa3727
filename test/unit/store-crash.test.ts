import assert from 'node:assert/strict'
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Catalogue, rowOf } from '../../src/store/catalogue.ts'
import { decodeShare, encodeShare } from '../../src/store/share-row.ts'
import { startChild } from './store-child.ts'
import {
  bytes,
  type MadeShare,
  makeFile,
  makeTree,
  startDownload,
  tempDir,
  tempStore,
  writePieces,
} from './store-fixture.ts'

describe('a process killed while it downloads', () => {
  const SIZE = 600_000

  it('claims nothing wrong and loses nothing that it stored', async (t) => {
    const dir = await tempDir(t)
    const home = join(dir, 'home')
    const share = makeFile(bytes(SIZE, 1))
    let stored: number[] = []
    for (const moreLines of [2, 30, 1, 60]) {
      const child = await startChild(t, ['download', home, join(dir, 'got'), '1', String(SIZE)])
      const had: number[] = JSON.parse(child.lines[0] ?? '[]')
      assert.deepEqual(
        stored.filter((piece) => !had.includes(piece)),
        [],
      )
      await child.said(1 + moreLines)
      await child.kill()
      // the last line may have been cut off, or is no number
      stored = [...had, ...child.lines.slice(1, -1).map(Number)]
    }
    const store = await tempStore(t, home)
    const download = await startDownload(store, share, join(dir, 'got'))
    assert.ok(stored.length > 80)
    for (const piece of stored) assert.ok(download.have.has(piece))
    const written = await readFile(join(dir, 'got.part'))
    for (const piece of download.have) {
      const block = share.blocks[piece] ?? new Uint8Array(0)
      assert.deepEqual(written.subarray(piece * 1000, piece * 1000 + block.length), Buffer.from(block))
    }
    await writePieces(download, share)
    await download.finish()
    assert.deepEqual(await readFile(join(dir, 'got')), Buffer.from(bytes(SIZE, 1)))
  })

  it('is complete or resumable when killed near the end', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(SIZE, 2))
    const child = await startChild(t, ['finish', join(dir, 'home'), join(dir, 'got'), '2', String(SIZE)])
    await child.said(601)
    await child.kill()
    const store = await tempStore(t, join(dir, 'home'))
    if (store.share(share.key)?.phase !== 'complete') {
      const download = await startDownload(store, share, join(dir, 'got'))
      assert.ok(download.have.count >= 599)
      await writePieces(download, share)
      await download.finish()
    }
    assert.deepEqual(await readFile(join(dir, 'got')), Buffer.from(bytes(SIZE, 2)))
    assert.deepEqual(await readdir(dir), ['got', 'home'])
  })
})

describe('a start that finds a share between its two names', () => {
  const FILES = { a: bytes(2500, 1), b: bytes(500, 2) }

  /** What lies where, when the crash came; and whether the share is complete afterwards. */
  const crashes: [
    string,
    'file' | 'tree',
    (at: { part: string; path: string }) => Promise<unknown>,
    boolean,
  ][] = [
    ['before the file got its name', 'file', async () => undefined, false],
    ['with the file under both names', 'file', ({ part, path }) => link(part, path), true],
    ['after the file was renamed', 'file', ({ part, path }) => rename(part, path), true],
    ['before the tree got its name', 'tree', async () => undefined, false],
    ['with the name reserved for the tree', 'tree', ({ path }) => mkdir(path), false],
    ['after the tree was renamed', 'tree', ({ part, path }) => rename(part, path), true],
  ]
  for (const [when, kind, crash, complete] of crashes) {
    it(`goes on: ${when}`, async (t) => {
      const { dir, share, path } = await finishing(
        t,
        kind === 'file' ? makeFile(bytes(2500, 1)) : makeTree(FILES),
      )
      await crash({ part: `${path}.part`, path })
      const store = await tempStore(t, join(dir, 'home'))
      assert.equal(store.share(share.key)?.phase, complete ? 'complete' : 'incomplete')
      if (!complete) {
        const download = await startDownload(store, share, path)
        assert.equal(download.have.complete, true, 'nothing is fetched again')
        await download.finish()
      }
      assert.deepEqual((await readdir(dir)).sort(), ['got', 'home'])
      assert.deepEqual(await store.verify(share.key, {}), [])
      for (const piece of share.blocks.keys()) assert.ok(await store.readPiece(share.key, piece))
    })
  }

  it('verifies the partial file again', async (t) => {
    const { dir, share, path } = await finishing(t, makeFile(bytes(2500, 1)))
    const spoilt = bytes(2500, 1)
    spoilt[1500] = (spoilt[1500] ?? 0) ^ 1
    await writeFile(`${path}.part`, spoilt)
    const download = await startDownload(await tempStore(t, join(dir, 'home')), share, path)
    assert.deepEqual([...download.have], [0, 2])
  })

  it('verifies the final file again', async (t) => {
    const { dir, share, path } = await finishing(t, makeFile(bytes(2500, 1)))
    const spoilt = bytes(2500, 1)
    spoilt[1500] = (spoilt[1500] ?? 0) ^ 1
    await rm(`${path}.part`)
    await writeFile(path, spoilt)
    const store = await tempStore(t, join(dir, 'home'))
    await new Promise<void>((resolve) => store.onDamage(() => resolve()))
    assert.deepEqual(store.share(share.key)?.damaged, [{ file: path, reason: 'its content changed' }])
  })

  it('does not touch what somebody else put at the target', async (t) => {
    const { dir, share, path } = await finishing(t, makeFile(bytes(2500, 1)))
    await writeFile(path, 'mine')
    const store = await tempStore(t, join(dir, 'home'))
    assert.equal(store.share(share.key)?.phase, 'incomplete')
    assert.equal(await readFile(path, 'utf8'), 'mine')
    await rm(path)
    await (await startDownload(store, share, path)).finish()
    assert.deepEqual(await readFile(path), Buffer.from(bytes(2500, 1)))
  })

  it('starts from nothing when neither is there', async (t) => {
    const { dir, share, path } = await finishing(t, makeFile(bytes(2500, 1)))
    await rm(`${path}.part`)
    const download = await startDownload(await tempStore(t, join(dir, 'home')), share, path)
    assert.equal(download.have.count, 0)
  })
})

/** A share whose row says `finishing` and whose bytes all lie in the partial file. */
async function finishing(
  t: TestContext,
  share: MadeShare,
): Promise<{ dir: string; share: MadeShare; path: string }> {
  const dir = await tempDir(t)
  const path = join(dir, 'got')
  const store = await tempStore(t, join(dir, 'home'))
  const download = await startDownload(store, share, path)
  await writePieces(download, share)
  await download.close()
  await store.close()
  const catalogue = await Catalogue.open(join(dir, 'home', 'catalogue'))
  const key = rowOf('share', share.key)
  const kept = decodeShare(share.key, (await catalogue.get(key)) ?? new Uint8Array(0))
  assert.ok(kept)
  const value = encodeShare({ ...kept, row: { ...kept.row, phase: 'finishing' } })
  await catalogue.write([{ type: 'put', key, value }], 'durable')
  await catalogue.close()
  return { dir, share, path }
}
