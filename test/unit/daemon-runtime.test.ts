import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commandOf, environment } from '../../src/daemon/runtime.ts'

const CHILD = fileURLToPath(new URL('./runtime-child.ts', import.meta.url))

const { UV_THREADPOOL_SIZE: _, MALLOC_MMAP_THRESHOLD_: __, ...plain } = process.env

const linesOf = ([node = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): string[] =>
  execFileSync(node, args, { encoding: 'utf8', env }).trim().split('\n')

test('a process that was started in the right way goes on', () => {
  const [before, after, ...more] = linesOf(commandOf(CHILD, 'a', 'b'), { ...environment(), ...plain })
  assert.equal(before, after)
  assert.match(before ?? '', / 3 flags, 16 threads, 1114112 mapped, a b$/)
  assert.deepEqual(more, ['goes on'])
})

const asAnybodyWould = {
  command: [process.execPath, CHILD, 'a', 'b'],
  env: plain,
  flags: 0,
  threads: '16',
  mapped: '1114112',
}

const startedOtherwise = {
  'as anybody would': asAnybodyWould,
  'without the environment': { ...asAnybodyWould, command: commandOf(CHILD, 'a', 'b'), flags: 3 },
  'with threads of its own': { ...asAnybodyWould, env: { ...plain, UV_THREADPOOL_SIZE: '5' }, threads: '5' },
  'with a threshold of its own': {
    ...asAnybodyWould,
    env: { ...plain, MALLOC_MMAP_THRESHOLD_: '7' },
    mapped: '7',
  },
}

for (const [how, { command, env, flags, threads, mapped }] of Object.entries(startedOtherwise)) {
  test(`a process that was started ${how} begins anew, under its id and with its arguments`, (t) => {
    if (process.platform === 'win32') return t.skip('Windows has no execve')
    const [before, again, after, ...more] = linesOf(command, env)
    assert.match(before ?? '', new RegExp(` ${flags} flags, (no|5) threads, (nothing|7) mapped, a b$`))
    const pid = before?.split(' ')[0]
    assert.equal(again, `${pid} 3 flags, ${threads} threads, ${mapped} mapped, a b`)
    assert.equal(after, again)
    assert.deepEqual(more, ['goes on'])
  })
}
