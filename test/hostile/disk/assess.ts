/** What must hold of a home after whatever happened to it. */
import assert from 'node:assert/strict'
import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ShareError } from '../../../src/core/errors.ts'
import { openStore } from '../../../src/store/store.ts'
import type { Store } from '../../../src/store/types.ts'
import type { MadeShare } from '../../unit/store-fixture.ts'
import { beginDownload, type Kept } from './work.ts'

/** Opens the home, and goes on with everything in it to its end. */
export async function assess(home: string, shares: readonly Kept[]): Promise<void> {
  const store = await openStore(home)
  try {
    await assert.rejects(
      openStore(home),
      (thrown) => thrown instanceof ShareError && thrown.code === 'ALREADY_RUNNING',
    )
    const known = new Set(shares.map(({ share }) => share.key))
    assert.deepEqual(
      store.shares().filter(({ root }) => !known.has(root)),
      [],
    )
    for (const kept of shares) await assessShare(store, kept)
    await store.gc()
    for (const kept of shares)
      if (store.share(kept.share.key) !== undefined) await assertServed(store, kept.share)
  } finally {
    await store.close()
  }
  for (const kept of shares) await assertFiles(kept)
}

async function assessShare(store: Store, kept: Kept): Promise<void> {
  const { share, promised } = kept
  const row = store.share(share.key)
  if (promised === 'gone') assert.equal(row, undefined, 'what was removed is back')
  if (promised === 'whole') assert.equal(row?.phase, 'complete', 'what was whole is not')
  if (typeof promised === 'object') assert.ok(row !== undefined, 'a download is forgotten')
  if (row === undefined) return
  if (row.phase !== 'complete') await goOn(store, kept)
  // a source that could not be read when the disk failed is looked at again
  if (row.damaged.length > 0) assert.deepEqual(await store.verify(share.key, {}), [])
  await assertServed(store, share)
}

async function goOn(store: Store, { share, path, promised }: Kept): Promise<void> {
  const download = await store.openDownload({ root: share.root, name: 'made', path, peers: [] })
  await beginDownload(store, download, share)
  if (typeof promised === 'object')
    for (const piece of promised)
      assert.ok(download.have.has(piece), `piece ${piece} was durable, and is lost`)
  for (const piece of [...download.have]) {
    const block = await store.readPiece(share.key, piece)
    assert.ok(block !== undefined, `piece ${piece} is claimed, and not there`)
    assert.ok(Buffer.compare(block, share.blocks[piece] ?? block) === 0, `piece ${piece} is wrong`)
  }
  for (const [piece, block] of share.blocks.entries()) await download.writePiece(piece, block)
  await download.finish()
}

/** Every block that a whole share promises is here, and right. */
async function assertServed(store: Store, share: MadeShare): Promise<void> {
  for (const [piece, block] of share.blocks.entries()) {
    const read = await store.readPiece(share.key, piece)
    assert.ok(
      read !== undefined && Buffer.compare(read, block) === 0,
      `piece ${piece} of ${share.key} is claimed, and not there`,
    )
  }
  for (const { cid, block } of share.nodes) {
    const read = await store.getBlock(cid)
    assert.ok(
      read !== undefined && Buffer.compare(read, block) === 0,
      `node ${cid} of ${share.key} is claimed, and not there`,
    )
  }
}

async function assertFiles({ share, path, how }: Kept): Promise<void> {
  const target = await lstat(path).catch(() => undefined)
  assert.equal(await lstat(`${path}.part`).catch(() => undefined), undefined, `${path}.part is left over`)
  if (target === undefined) return assert.equal(how, 'download', `${path} is gone`)
  const names = target.isDirectory() ? await filesBelow(path) : ['']
  assert.deepEqual(names.sort(), [...share.files.keys()].sort())
  for (const [name, content] of share.files)
    assert.deepEqual(await readFile(join(path, name)), Buffer.from(content), `${path}/${name} changed`)
}

async function filesBelow(path: string): Promise<string[]> {
  const found = await readdir(path, { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(path.length + 1))
}
