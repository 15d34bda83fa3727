import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openProgress } from '../../src/cli/progress.ts'

test('with --json progress is an object a line on stderr, and not many of them', async (t) => {
  const written = t.mock.method(process.stderr, 'write', () => true)
  const progress = await openProgress({ quiet: false, json: true })
  progress.update({ done: 1, total: 4, rate: 2.4, detail: '1 peer' })
  progress.update({ done: 2, total: 4, rate: 2.4, detail: '1 peer' })
  progress.stop()
  const lines = written.mock.calls.map((call) => String(call.arguments[0]))
  written.mock.restore()
  assert.deepEqual(lines, ['{"progress":{"done":1,"total":4,"rate":2}}\n'])
})
