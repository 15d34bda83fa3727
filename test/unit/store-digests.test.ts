import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openStore } from '../../src/store/store.ts'
import { addInPlace, bytes, makeFile, tempDir } from './store-fixture.ts'

describe('the digests of a share', () => {
  it('are kept over restarts, each kind for itself, and go with the share', async (t) => {
    const dir = await tempDir(t)
    const share = makeFile(bytes(2500, 1))
    const first = await openStore(join(dir, 'home'))
    await addInPlace(first, share, join(dir, 'data'))
    assert.equal(await first.digests(share.key, 'torrent'), undefined)
    await first.keepDigests(share.key, 'torrent', bytes(10, 1))
    await first.keepDigests(share.key, 'torrent', bytes(20, 2))
    await first.keepDigests(share.key, 'torrent-v1', bytes(30, 3))
    await first.close()

    const again = await openStore(join(dir, 'home'))
    try {
      assert.deepEqual(
        Buffer.from((await again.digests(share.key, 'torrent')) ?? ''),
        Buffer.from(bytes(20, 2)),
      )
      assert.deepEqual(
        Buffer.from((await again.digests(share.key, 'torrent-v1')) ?? ''),
        Buffer.from(bytes(30, 3)),
      )
      // it is still a share of one row
      assert.equal(again.shares().length, 1)
      await again.remove(share.key)
      await again.keepDigests(share.key, 'torrent', bytes(10, 1))
      for (const kind of ['torrent', 'torrent-v1'] as const)
        assert.equal(await again.digests(share.key, kind), undefined)
    } finally {
      await again.close()
    }
  })
})
