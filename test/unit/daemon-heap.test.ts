import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { withHeap } from '../../src/daemon/heap.ts'

const CHILD = fileURLToPath(new URL('./heap-child.ts', import.meta.url))

const linesOf = ([node = '', ...args]: readonly string[]): string[] =>
  execFileSync(node, args, { encoding: 'utf8' }).trim().split('\n')

test('a process that was started with the flags goes on', () => {
  const [before, after, ...more] = linesOf(withHeap(CHILD, 'a', 'b'))
  assert.equal(before, after)
  assert.match(before ?? '', / 2 flags, a b$/)
  assert.deepEqual(more, ['goes on'])
})

test('a process without them begins anew with them, under its id and with its arguments', (t) => {
  if (process.platform === 'win32') return t.skip('Windows has no execve')
  const [before, again, after, ...more] = linesOf([process.execPath, CHILD, 'a', 'b'])
  assert.match(before ?? '', / 0 flags, a b$/)
  assert.equal(again, before?.replace('0 flags', '2 flags'))
  assert.equal(after, again)
  assert.deepEqual(more, ['goes on'])
})
