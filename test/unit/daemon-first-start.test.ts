import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { configAtStart } from '../../src/daemon/first-start.ts'
import { DEFAULT_CONFIG } from '../../src/node/config.ts'
import { loadConfig } from '../../src/node/config-file.ts'

const USUAL = DEFAULT_CONFIG.listen
const on = (port: number): readonly string[] => USUAL.map((address) => address.replace('4141', String(port)))

async function newHome(t: TestContext): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'share-first-start-'))
  t.after(() => rm(home, { recursive: true, force: true }))
  return home
}

describe('the port of a home that starts', () => {
  const KEY = { key: '' }
  const OTHER = { 'config.json': '{ "listen": "/ip4/127.0.0.1/tcp/4141" }' }
  const cases: readonly {
    name: string
    files: Readonly<Record<string, string>>
    taken: readonly number[]
    listen: readonly string[]
  }[] = [
    { name: 'is the usual one', files: {}, taken: [], listen: USUAL },
    { name: 'is the next free one where that is taken', files: {}, taken: [4141, 4142], listen: on(4143) },
    { name: 'stays when it has started before', files: KEY, taken: [4141], listen: USUAL },
    { name: 'stays when it was set', files: OTHER, taken: [4141], listen: ['/ip4/127.0.0.1/tcp/4141'] },
  ]
  for (const { name, files, taken, listen } of cases) {
    it(name, async (t) => {
      const home = await newHome(t)
      for (const [file, text] of Object.entries(files)) await writeFile(join(home, file), text)
      const lines: string[] = []
      const isFree = async (port: number): Promise<boolean> => !taken.includes(port)
      const config = await configAtStart(home, (line) => lines.push(line), isFree)
      assert.deepEqual(config.listen, listen)
      // for the next start, too
      assert.deepEqual((await loadConfig(home)).listen, listen)
      assert.equal(lines.length, listen[0] === on(4143)[0] ? 1 : 0)
    })
  }

  it('stays the usual one when all are taken, for the node to say so', async (t) => {
    const config = await configAtStart(await newHome(t), assert.fail, async () => false)
    assert.deepEqual(config.listen, USUAL)
  })

  for (const host of ['0.0.0.0', '127.0.0.1']) {
    it(`is not one on which somebody listens at ${host}`, async (t) => {
      const server = createServer()
      t.after(() => server.close())
      const listening = Promise.withResolvers<void>()
      // if another program has it, it is taken all the same
      server.once('error', () => listening.resolve())
      server.listen({ host, port: 4141 }, () => listening.resolve())
      await listening.promise
      const config = await configAtStart(await newHome(t), () => {})
      assert.ok(!config.listen.includes(USUAL[0] ?? ''), config.listen.join(' '))
    })
  }
})
