import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commandOf, environment } from '../../src/daemon/runtime.ts'

const CHILD = fileURLToPath(new URL('./runtime-child.ts', import.meta.url))

const { UV_THREADPOOL_SIZE: _, ...plain } = process.env

const linesOf = ([node = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): string[] =>
  execFileSync(node, args, { encoding: 'utf8', env }).trim().split('\n')

test('a process that was started in the right way goes on', () => {
  const [before, after, ...more] = linesOf(commandOf(CHILD, 'a', 'b'), { ...environment(), ...plain })
  assert.equal(before, after)
  assert.match(before ?? '', / 3 flags, 16 threads, a b$/)
  assert.deepEqual(more, ['goes on'])
})

const startedOtherwise = {
  'as anybody would': { command: [process.execPath, CHILD, 'a', 'b'], env: plain, flags: 0, threads: '16' },
  'without the threads': { command: commandOf(CHILD, 'a', 'b'), env: plain, flags: 3, threads: '16' },
  'with threads of its own': {
    command: [process.execPath, CHILD, 'a', 'b'],
    env: { ...plain, UV_THREADPOOL_SIZE: '5' },
    flags: 0,
    threads: '5',
  },
}

for (const [how, { command, env, flags, threads }] of Object.entries(startedOtherwise)) {
  test(`a process that was started ${how} begins anew, under its id and with its arguments`, (t) => {
    if (process.platform === 'win32') return t.skip('Windows has no execve')
    const [before, again, after, ...more] = linesOf(command, env)
    assert.match(before ?? '', new RegExp(` ${flags} flags, (no|5) threads, a b$`))
    const pid = before?.split(' ')[0]
    assert.equal(again, `${pid} 3 flags, ${threads} threads, a b`)
    assert.equal(after, again)
    assert.deepEqual(more, ['goes on'])
  })
}
