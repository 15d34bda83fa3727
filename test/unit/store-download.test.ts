import assert from 'node:assert/strict'
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type ErrorCode, ShareError } from '../../src/core/errors.ts'
import {
  addInPlace,
  bytes,
  CHUNK,
  type Leaves,
  type MadeShare,
  makeFile,
  makeTree,
  startDownload,
  tempDir,
  tempStore,
  writePieces,
} from './store-fixture.ts'

const FILES = {
  'a.txt': bytes(2500, 1),
  empty: new Uint8Array(0),
  'sub/b.bin': bytes(800, 2),
  'sub/twice': bytes(800, 2),
}

describe('a download', () => {
  for (const leaves of ['raw', 'file-wrapped', 'raw-wrapped'] as Leaves[]) {
    it(`puts a tree of ${leaves} leaves in place and serves it`, async (t) => {
      const dir = await tempDir(t)
      const share = makeTree(FILES, leaves)
      const store = await tempStore(t, join(dir, 'home'))
      const download = await startDownload(store, share, join(dir, 'got'))
      assert.equal(download.have.count, 0)
      assert.equal(await store.readPiece(share.key, 0), undefined)
      await writePieces(download, share, 0, 1)
      assert.deepEqual(
        Buffer.from((await store.readPiece(share.key, 0)) ?? []),
        Buffer.from(share.blocks[0] ?? []),
      )
      await writePieces(download, share)
      assert.equal(download.have.complete, true)
      const row = await download.finish()
      assert.equal(row.phase, 'complete')
      await assertTree(join(dir, 'got'), share)
      assert.deepEqual((await readdir(dir)).sort(), ['got', 'home'])
      await assertServes(store, share)
      await store.close()
      const again = await tempStore(t, join(dir, 'home'))
      await assertServes(again, share)
      assert.deepEqual(await again.verify(share.key, {}), [])
    })
  }

  it('is verified to its end when it gets its name meanwhile', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(300 * CHUNK, 5))
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    await writePieces(download, share)
    let finishing: Promise<unknown> | undefined
    let seen = 0
    const onProgress = (done: number): void => {
      finishing ??= download.finish()
      seen = done
    }
    assert.deepEqual(await store.verify(share.key, { onProgress }), [])
    await finishing
    assert.equal(seen, 300 * CHUNK)
  })

  it('writes a stored piece to a place that the walk finds later', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree({ first: bytes(800, 1), second: bytes(800, 2) })
    const { entries, pieces } = share.manifest
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    await writePieces(download, share, 0, 1)
    pieces.addPlace(0, { entry: entries.findIndex(({ path }) => path === 'second'), offset: 0 })
    await writePieces(download, share, 0, 1)
    assert.deepEqual(await readFile(join(dir, 'got.part', 'second')), Buffer.from(bytes(800, 1)))
  })

  it('writes a piece to places that the walk finds while it is being written', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree({ first: bytes(800, 1), second: bytes(800, 2) })
    const { entries, pieces } = share.manifest
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    const writing = writePieces(download, share, 0, 1)
    pieces.addPlace(0, { entry: entries.findIndex(({ path }) => path === 'second'), offset: 0 })
    await writing
    assert.equal(download.have.has(0), true)
    assert.deepEqual(await readFile(join(dir, 'got.part', 'second')), Buffer.from(bytes(800, 1)))
  })

  it('puts a single file in place', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(5300, 3))
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    await writePieces(download, share)
    assert.deepEqual(await readdir(dir), ['got.part', 'home'])
    await download.finish()
    assert.deepEqual(await readdir(dir), ['got', 'home'])
    assert.deepEqual(await readFile(join(dir, 'got')), Buffer.from(bytes(5300, 3)))
  })

  it('puts a file that lies in its root node in place', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(500, 3), 'file-wrapped')
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    await download.finish()
    assert.deepEqual(await readFile(join(dir, 'got')), Buffer.from(bytes(500, 3)))
  })

  it('makes symlinks last', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree({ 'a.txt': bytes(1500, 1) })
    share.manifest.entries.push({ kind: 'symlink', path: 'link', target: 'a.txt' })
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    await writePieces(download, share)
    assert.deepEqual(await readdir(join(dir, 'got.part')), ['a.txt'])
    await download.finish()
    assert.equal(await readlink(join(dir, 'got', 'link')), 'a.txt')
  })

  it('takes pieces as the walk finds them', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(5300, 3))
    const { entries, pieces, root, size } = share.manifest
    const growing = makeFile(new Uint8Array(0)).manifest.pieces
    const store = await tempStore(t, join(dir, 'home'))
    const download = await store.openDownload({ root, name: 'f', path: join(dir, 'got'), peers: [] })
    await download.begin({ root, entries, size, pieces: growing })
    for (const [piece, block] of share.blocks.entries()) {
      const [place = { entry: 0, offset: 0 }] = pieces.places(piece)
      growing.push({
        digest: pieces.digest(piece),
        codec: 0x55,
        size: block.length,
        blockSize: block.length,
        place,
      })
      await assert.rejects(download.writePiece(piece, block), { code: 'INTERNAL' })
      await download.extend()
      assert.equal(download.have.length, piece + 1)
      await download.writePiece(piece, block)
      assert.deepEqual(await store.locate(pieces.cid(piece)), [{ root: share.key, piece }])
    }
    assert.equal(await store.manifest(share.key), undefined)
    await download.finish()
    assert.deepEqual(await readFile(join(dir, 'got')), Buffer.from(bytes(5300, 3)))
  })

  it('refuses a block that is not the leaf the DAG promises', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(1500, 3))
    const download = await startDownload(await tempStore(t, join(dir, 'home')), share, join(dir, 'got'))
    await assert.rejects(download.writePiece(0, bytes(CHUNK - 1, 9)), { code: 'BAD_CONTENT' })
    assert.equal(download.have.count, 0)
  })

  it('does not finish before everything is there', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(2500, 3))
    const download = await startDownload(await tempStore(t, join(dir, 'home')), share, join(dir, 'got'))
    await writePieces(download, share, 0, 2)
    await assert.rejects(download.finish(), { code: 'VERIFICATION_FAILED' })
    await writePieces(download, share, 2, 3)
    assert.equal((await download.finish()).phase, 'complete')
  })

  it('loses a piece that someone spoilt in the partial file, and no other', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(2500, 3))
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    await writePieces(download, share)
    const spoilt = bytes(2500, 3)
    spoilt[1500] = (spoilt[1500] ?? 0) ^ 1
    await writeFile(join(dir, 'got.part'), spoilt)
    assert.deepEqual(await store.verify(share.key, {}), [
      { file: join(dir, 'got.part'), reason: 'its content changed' },
    ])
    assert.deepEqual([...download.have], [0, 2])
    await writePieces(download, share)
    await download.finish()
    assert.deepEqual(await readFile(join(dir, 'got')), Buffer.from(bytes(2500, 3)))
  })
})

describe('a download that is opened again', () => {
  it('has what it claimed, without a manifest walk', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES, 'file-wrapped')
    const first = await tempStore(t, join(dir, 'home'))
    const begun = await startDownload(first, share, join(dir, 'got'))
    await writePieces(begun, share, 1, 3)
    await begun.close()
    await first.close()

    const store = await tempStore(t, join(dir, 'home'))
    assert.equal(store.share(share.key)?.phase, 'incomplete')
    const manifest = await store.manifest(share.key)
    assert.ok(manifest)
    const download = await store.openDownload({
      root: share.root,
      name: 'other',
      path: join(dir, 'other'),
      peers: [],
    })
    assert.equal(store.share(share.key)?.path, join(dir, 'got'), 'the path of what was begun')
    assert.equal(store.share(share.key)?.name, 'made')
    await download.begin(manifest)
    await download.extend()
    assert.deepEqual([...download.have], [1, 2])
    await writePieces(download, share)
    await download.finish()
    await assertTree(join(dir, 'got'), share)
  })

  const losses: [string, (partial: string) => Promise<unknown>, number[]][] = [
    ['one file is gone', (partial) => rm(join(partial, 'a.txt')), [3]],
    ['one file is cut short', (partial) => truncate(join(partial, 'a.txt'), 1500), [0, 3]],
    ['the whole tree is gone', (partial) => rm(partial, { recursive: true }), []],
  ]
  for (const [what, lose, left] of losses) {
    it(`starts with what is left when ${what}`, async (t) => {
      const dir = await tempDir(t)
      const share = makeTree(FILES)
      const store = await tempStore(t, join(dir, 'home'))
      const begun = await startDownload(store, share, join(dir, 'got'))
      await writePieces(begun, share)
      await begun.close()
      await lose(join(dir, 'got.part'))
      const download = await startDownload(store, share, join(dir, 'got'))
      assert.deepEqual([...download.have], left)
      await writePieces(download, share)
      await download.finish()
      await assertTree(join(dir, 'got'), share)
    })
  }

  it('brings back small v0 files whose partial file was lost', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES, 'file-wrapped')
    const store = await tempStore(t, join(dir, 'home'))
    const begun = await startDownload(store, share, join(dir, 'got'))
    await writePieces(begun, share)
    await begun.close()
    await rm(join(dir, 'got.part', 'sub', 'b.bin'))
    const download = await store.openDownload({
      root: share.root,
      name: 'x',
      path: join(dir, 'got'),
      peers: [],
    })
    await download.begin((await store.manifest(share.key)) ?? share.manifest)
    await download.extend()
    await download.finish()
    await assertTree(join(dir, 'got'), share)
  })

  it('keeps the peers of both times', async (t) => {
    const dir = await tempDir(t)
    const { root, key } = makeTree(FILES)
    const store = await tempStore(t, join(dir, 'home'))
    const path = join(dir, 'got')
    await (await store.openDownload({ root, name: 'x', path, peers: ['/a', '/b'] })).close()
    await (await store.openDownload({ root, name: 'x', path, peers: ['/b', '/c'] })).close()
    assert.deepEqual(store.share(key)?.peers, ['/a', '/b', '/c'])
  })

  it('may go elsewhere as long as nothing was begun', async (t) => {
    const dir = await tempDir(t)
    const { root, key } = makeTree(FILES)
    const store = await tempStore(t, join(dir, 'home'))
    await (await store.openDownload({ root, name: 'x', path: join(dir, 'one'), peers: [] })).close()
    await (await store.openDownload({ root, name: 'x', path: join(dir, 'two'), peers: [] })).close()
    assert.equal(store.share(key)?.path, join(dir, 'two'))
  })
})

describe('targets', () => {
  const taken: [string, (dir: string) => Promise<unknown>, ErrorCode][] = [
    ['a file is at the target', (dir) => writeFile(join(dir, 'got'), 'mine'), 'TARGET_EXISTS'],
    ['a directory is at the target', (dir) => mkdir(join(dir, 'got')), 'TARGET_EXISTS'],
    ['a dangling symlink is at the target', (dir) => symlink('nowhere', join(dir, 'got')), 'TARGET_EXISTS'],
    [
      'a partial file of somebody else is there',
      (dir) => writeFile(join(dir, 'got.part'), 'mine'),
      'TARGET_EXISTS',
    ],
    ['the directory does not exist', (dir) => rm(dir, { recursive: true }), 'NOT_FOUND'],
  ]
  for (const [what, prepare, code] of taken) {
    it(`openDownload refuses when ${what}`, async (t) => {
      const dir = await tempDir(t)
      const store = await tempStore(t, join(dir, 'home'))
      const into = join(dir, 'into')
      await mkdir(into)
      await prepare(into)
      const { root, key } = makeTree(FILES)
      await assert.rejects(
        store.openDownload({ root, name: 'x', path: join(into, 'got'), peers: [] }),
        isError(code),
      )
      assert.equal(store.share(key), undefined)
    })
  }

  for (const kind of ['file', 'tree']) {
    it(`finish never replaces what came to a ${kind}'s target meanwhile`, async (t) => {
      const dir = await tempDir(t)
      const share = kind === 'file' ? makeFile(bytes(1500, 1)) : makeTree(FILES)
      const store = await tempStore(t, join(dir, 'home'))
      const path = join(dir, 'got')
      const download = await startDownload(store, share, path)
      await writePieces(download, share)
      await writeFile(path, 'mine')
      await assert.rejects(download.finish(), isError('TARGET_EXISTS'))
      assert.equal(await readFile(path, 'utf8'), 'mine')
      assert.equal(store.share(share.key)?.phase, 'incomplete')
      await rm(path)
      assert.equal((await download.finish()).phase, 'complete')
    })
  }

  it('two downloads do not share a target', async (t) => {
    const dir = await tempDir(t)
    const store = await tempStore(t, join(dir, 'home'))
    const path = join(dir, 'got')
    const download = await store.openDownload({ root: makeTree(FILES).root, name: 'x', path, peers: [] })
    const other = makeFile(bytes(10, 1)).root
    await assert.rejects(
      store.openDownload({ root: other, name: 'y', path, peers: [] }),
      isError('TARGET_EXISTS'),
    )
    await assert.rejects(
      store.openDownload({ root: makeTree(FILES).root, name: 'x', path, peers: [] }),
      isError('CONFLICT'),
    )
    await download.close()
  })

  it('writes through no symlink that was swapped in', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree({ 'sub/a': bytes(1500, 1), 'sub/b': bytes(1500, 2) })
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    await writePieces(download, share, 0, 2)
    const elsewhere = join(dir, 'elsewhere')
    await rename(join(dir, 'got.part', 'sub'), elsewhere)
    await symlink(elsewhere, join(dir, 'got.part', 'sub'))
    await assert.rejects(download.writePiece(2, share.blocks[2] ?? new Uint8Array(0)), isError('CONFLICT'))
    assert.deepEqual(await readdir(elsewhere), ['a'])
  })

  for (const path of ['../out', '/etc/x', 'a/../../out', 'a//b', 'a\0b']) {
    it(`refuses an entry named ${JSON.stringify(path)}`, async (t) => {
      const dir = await tempDir(t)
      const share = makeTree({ [path]: bytes(10, 1) })
      const store = await tempStore(t, join(dir, 'home'))
      const download = await store.openDownload({
        root: share.root,
        name: 'x',
        path: join(dir, 'got'),
        peers: [],
      })
      await assert.rejects(download.begin(share.manifest), isError('BAD_PATH'))
      assert.deepEqual(await readdir(dir), ['home'])
    })
  }

  it('says early that the disk is too small', async (t) => {
    const dir = await tempDir(t)
    const { root, manifest } = makeFile(bytes(1500, 1))
    const store = await tempStore(t, join(dir, 'home'))
    const download = await store.openDownload({ root, name: 'x', path: join(dir, 'got'), peers: [] })
    await assert.rejects(download.begin({ ...manifest, size: 2 ** 52 }), isError('DISK_FULL'))
    assert.deepEqual(await readdir(dir), ['home'])
  })

  it('a complete share is not downloaded again, unless its file is lost', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(1500, 1))
    const store = await tempStore(t, join(dir, 'home'))
    await addInPlace(store, share, join(dir, 'data'))
    const again = { root: share.root, name: 'x', path: join(dir, 'got'), peers: [] }
    await assert.rejects(store.openDownload(again), isError('CONFLICT'))
    await rm(join(dir, 'data'))
    const download = await startDownload(store, share, join(dir, 'got'))
    assert.equal(download.have.count, 0)
    await writePieces(download, share)
    await download.finish()
    assert.equal((await stat(join(dir, 'got'))).size, 1500)
  })

  it('a long name gets a partial name that fits', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(1500, 1))
    const path = join(dir, 'é'.repeat(127))
    const download = await startDownload(await tempStore(t, join(dir, 'home')), share, path)
    await writePieces(download, share)
    await download.finish()
    assert.equal((await lstat(path)).size, 1500)
  })
})

describe('removing a download', () => {
  it('deletes the partial tree, and the target can be taken again', async (t) => {
    const dir = await tempDir(t)
    const share = makeTree(FILES)
    const store = await tempStore(t, join(dir, 'home'))
    const download = await startDownload(store, share, join(dir, 'got'))
    const writes = writePieces(download, share).catch((thrown: unknown) =>
      assert.ok(thrown instanceof ShareError),
    )
    await store.remove(share.key)
    await writes
    assert.deepEqual(await readdir(dir), ['home'])
    await assert.rejects(download.writePiece(0, share.blocks[0] ?? new Uint8Array(0)), isError('NOT_FOUND'))
    const again = await startDownload(store, share, join(dir, 'got'))
    assert.equal(again.have.count, 0)
  })
})

function isError(code: ErrorCode) {
  return (thrown: unknown) => thrown instanceof ShareError && thrown.code === code && thrown.hint !== ''
}

async function assertTree(path: string, share: MadeShare): Promise<void> {
  for (const [name, content] of share.files)
    assert.deepEqual(await readFile(join(path, name)), Buffer.from(content))
}

async function assertServes(store: Awaited<ReturnType<typeof tempStore>>, share: MadeShare): Promise<void> {
  for (const [piece, block] of share.blocks.entries()) {
    assert.deepEqual(Buffer.from((await store.readPiece(share.key, piece)) ?? []), Buffer.from(block))
  }
}
