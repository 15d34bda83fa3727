/** Twenty daemons started at once in one home: one wins, and each of the others says who. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Homes, until } from '../../e2e/homes.ts'
import { rounds } from '../extent.ts'
import { tally } from '../tally.ts'

test('of twenty daemons started at once one runs, and the others name it', async (t) => {
  const count = rounds(8, 20)
  const home = await (await Homes.open(t)).add('home')
  // as one that was killed left it
  await writeFile(join(home.path, 'daemon.pid'), '4194303\n')
  const commands = Array.from({ length: count }, () => home.start('daemon', 'run'))
  const losers: string[] = []
  for (const { ended } of commands) void ended.then(({ code, stderr }) => losers.push(`${code} ${stderr}`))
  await until('all but one have ended', () => losers.length === count - 1)
  await until('the one answers', async () => (await home.run('daemon', 'status')).code === 0)
  const { pid } = await home.daemon()
  for (const said of losers) {
    assert.match(said, /^1 [\s\S]*is in use by (process \d+|another process) \[ALREADY_RUNNING\]/, said)
    assert.match(said, new RegExp(`in use by process ${pid}\\b`), said)
  }
  await home.stop()
  await until('the last one has ended', () => losers.length === count)
  tally('daemons started at once in one home', count, 'one ran, the others named it')
})

test('of twenty commands that start the daemon all succeed, with one daemon', async (t) => {
  const count = rounds(8, 20)
  const home = await (await Homes.open(t)).add('home')
  const ended = await Promise.all(Array.from({ length: count }, () => home.run('daemon', 'start')))
  for (const { code, stderr } of ended) assert.equal(code, 0, stderr)
  const { pid } = await home.daemon()
  assert.ok(pid !== undefined && pid > 0)
  tally('commands that start the daemon at once', count, 'all succeeded, one daemon')
})
