import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ShareError } from '../../src/core/errors.ts'
import { Catalogue, VERSION } from '../../src/store/catalogue.ts'
import { openStore } from '../../src/store/store.ts'
import { startChild } from './store-child.ts'
import { tempDir, tempStore } from './store-fixture.ts'

describe('a home', () => {
  it('is private, also when it was not', async (t) => {
    const home = join(await tempDir(t), 'home')
    await mkdir(home, { mode: 0o755 })
    await tempStore(t, home)
    assert.equal((await stat(home)).mode & 0o777, 0o700)
  })

  it('is used by one process at a time; the message names the other', async (t) => {
    const home = join(await tempDir(t), 'home')
    const child = await startChild(t, ['hold', home])
    await assert.rejects(openStore(home), (thrown) => {
      assert.ok(thrown instanceof ShareError)
      assert.equal(thrown.code, 'ALREADY_RUNNING')
      assert.match(thrown.message, new RegExp(`process ${child.pid}\\b`))
      assert.match(thrown.hint, /share daemon stop/)
      return true
    })
    await child.kill()
    assert.equal(await readFile(join(home, 'daemon.pid'), 'utf8'), `${child.pid}\n`, 'stale, and harmless')
    await tempStore(t, home)
    assert.equal(await readFile(join(home, 'daemon.pid'), 'utf8'), `${process.pid}\n`)
  })

  it('takes its pid file away when it is closed', async (t) => {
    const home = join(await tempDir(t), 'home')
    const store = await openStore(home)
    await store.close()
    await assert.rejects(stat(join(home, 'daemon.pid')), { code: 'ENOENT' })
  })

  it('that a newer program has written is refused, and stays as it is', async (t) => {
    const home = join(await tempDir(t), 'home')
    await (await openStore(home)).close()
    const version = async (value?: string): Promise<string> => {
      const catalogue = await Catalogue.open(join(home, 'catalogue'))
      if (value !== undefined)
        await catalogue.write([{ type: 'put', key: VERSION, value: Buffer.from(value) }], 'durable')
      const row = Buffer.from((await catalogue.get(VERSION)) ?? '').toString()
      await catalogue.close()
      return row
    }
    assert.equal(await version(), '1')
    await version('2')
    await assert.rejects(openStore(home), (thrown) => {
      assert.ok(thrown instanceof ShareError)
      assert.deepEqual([thrown.code, /version 2/.test(thrown.message)], ['UNSUPPORTED', true])
      return true
    })
    assert.equal(await version('1'), '1')
    await tempStore(t, home)
  })

  it('that is a file says so', async (t) => {
    const home = join(await tempDir(t), 'home')
    await writeFile(home, '')
    await assert.rejects(openStore(home), ShareError)
  })
})
