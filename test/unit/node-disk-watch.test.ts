import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ShareError } from '../../src/core/errors.ts'
import { rootKey } from '../../src/core/types.ts'
import { DiskWatch } from '../../src/node/disk-watch.ts'

const root = rootKey('bafkreifbvngde7yu3osqoovlv4h6b5ikpnkitbolboj3vxx2fameo3ppoy')

/** What the watch does with one download, there. */
async function looked(download: { directory: string; starved: boolean; lacks: number }): Promise<string[]> {
  const done: string[] = []
  const watch = new DiskWatch({
    downloads: () => [{ root, path: join(download.directory, 'target'), ...download }],
    starve: (_, error: ShareError) => done.push(`starve ${error.code}`),
    resume: async () => void done.push('resume'),
    log: () => undefined,
  })
  await watch.look()
  watch.stop()
  return done
}

test('a download that stopped for want of space goes on when what it lacks fits, and not before', async () => {
  const directory = tmpdir()
  assert.deepEqual(await looked({ directory, starved: true, lacks: 0 }), ['resume'])
  assert.deepEqual(await looked({ directory, starved: true, lacks: 2 ** 60 }), [])
  assert.deepEqual(await looked({ directory, starved: false, lacks: 0 }), [])
})

test('where nobody can tell how much is free, nothing is done', async () => {
  const directory = join(tmpdir(), 'there is no such directory')
  assert.deepEqual(await looked({ directory, starved: true, lacks: 0 }), [])
})

test('a file system without any space starves what is loaded onto it', {
  skip: process.platform !== 'linux',
}, async () => {
  // a file system of the kernel's own: it has no blocks at all
  assert.deepEqual(await looked({ directory: '/proc', starved: false, lacks: 0 }), ['starve DISK_FULL'])
})
