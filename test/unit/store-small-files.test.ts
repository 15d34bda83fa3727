/** Trees of so many small files that a thread of their own makes and reads them: the same holds as for others. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startChild } from './store-child.ts'
import {
  addInPlace,
  bytes,
  makeTree,
  manyFiles,
  startDownload,
  tempDir,
  tempStore,
  writePieces,
} from './store-fixture.ts'

const FILES = 200

describe('a download of many small files', () => {
  it('is made, all at once, and served', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(manyFiles(FILES))
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    await Promise.all(share.blocks.map((block, piece) => download.writePiece(piece, block)))
    await download.finish()
    for (const [name, content] of share.files)
      assert.deepEqual(await readFile(join(dir, 'got', name)), Buffer.from(content))
    const read = await Promise.all(share.blocks.map((_, piece) => store.readPiece(share.key, piece)))
    assert.deepEqual(
      read.map((block) => block && Buffer.from(block)),
      share.blocks.map((block) => Buffer.from(block)),
    )
  })

  it('goes on where it was closed', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(manyFiles(FILES))
    const former = await tempStore(t, join(dir, 'home'))
    await writePieces(await startDownload(former, share, join(dir, 'got')), share, 0, 150)
    await former.close()
    const download = await startDownload(await tempStore(t, join(dir, 'home')), share, join(dir, 'got'))
    assert.equal(download.have.count, 150)
    await writePieces(download, share)
    await download.finish()
    assert.equal((await readdir(join(dir, 'got', 'odd'))).length, FILES / 2)
  })

  it('writes through no symlink that was swapped in', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(manyFiles(FILES))
    const download = await startDownload(await tempStore(t, join(dir, 'home')), share, join(dir, 'got'))
    const elsewhere = join(dir, 'elsewhere')
    await mkdir(elsewhere)
    await rename(join(dir, 'got.part', 'odd'), join(dir, 'odd'))
    await symlink(elsewhere, join(dir, 'got.part', 'odd'))
    const writes = await Promise.allSettled(
      share.blocks.map((block, piece) => download.writePiece(piece, block)),
    )
    const codes = writes.map((write) => (write.status === 'rejected' ? write.reason.code : 'written'))
    assert.deepEqual(
      codes,
      codes.map((_, at) => (at % 2 ? 'CONFLICT' : 'written')),
    )
    assert.deepEqual(await readdir(elsewhere), [])
  })

  it('does not touch what somebody else put in the place of a file', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(manyFiles(FILES))
    const download = await startDownload(await tempStore(t, join(dir, 'home')), share, join(dir, 'got'))
    await writeFile(join(dir, 'mine'), 'mine')
    await symlink(join(dir, 'mine'), join(dir, 'got.part', 'even', '0'))
    await writeFile(join(dir, 'got.part', 'even', '2'), 'mine too')
    for (const piece of [0, 2])
      await assert.rejects(download.writePiece(piece, share.blocks[piece] ?? bytes(0, 0)), {
        code: 'TARGET_EXISTS',
      })
    assert.equal(await readFile(join(dir, 'mine'), 'utf8'), 'mine')
    assert.equal(await readFile(join(dir, 'got.part', 'even', '2'), 'utf8'), 'mine too')
    await rm(join(dir, 'got.part', 'even', '0'))
    await download.writePiece(0, share.blocks[0] ?? bytes(0, 0))
  })

  it('loses nothing that was stored when it is killed, and claims nothing wrong', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(manyFiles(FILES))
    const child = await startChild(t, ['tree', join(dir, 'home'), join(dir, 'got'), String(FILES)])
    await child.said(120)
    await child.kill()
    const stored = child.lines.slice(1, -1).map(Number)
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    assert.ok(stored.length >= 100)
    for (const piece of stored) assert.ok(download.have.has(piece))
    for (const piece of download.have)
      assert.deepEqual(await store.readPiece(share.key, piece), Buffer.from(share.blocks[piece] ?? []))
    await writePieces(download, share)
    await download.finish()
  })
})

describe('a share of many small files', () => {
  const changes: [string, (file: string) => Promise<unknown>, RegExp][] = [
    ['a file is gone', (file) => rm(file), /missing/],
    ['a file changed its size', (file) => writeFile(file, 'short'), /size changed from 700 to 5/],
    ['a file has other bytes', (file) => writeFile(file, bytes(700, 9999)), /its content changed/],
    ['a directory lies there', (file) => rm(file).then(() => mkdir(file)), /no longer a regular file/],
  ]
  for (const [what, change, reason] of changes)
    it(`turns damaged and serves nothing when ${what}`, async (t) => {
      const dir = await tempDir(t)
      const share = makeTree(manyFiles(FILES))
      const store = await tempStore(t, join(dir, 'home'))
      await addInPlace(store, share, join(dir, 'shared'))
      assert.ok(await store.readPiece(share.key, 7))
      const file = join(dir, 'shared', 'odd', '7')
      await change(file)
      assert.equal(await store.readPiece(share.key, 7), undefined)
      assert.match(store.share(share.key)?.damaged[0]?.reason ?? '', reason)
      assert.equal(await store.readPiece(share.key, 8), undefined)
    })
})
