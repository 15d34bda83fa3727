import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toldOnce } from '../../src/node/told-once.ts'

test('a line is told once, however often it is said, and memory stays bounded', () => {
  const told: string[] = []
  const log = toldOnce((line) => told.push(line))
  for (const line of ['a', 'b', 'a', 'a']) log(line)
  assert.deepEqual(told, ['a', 'b'])
  for (let other = 0; other < 1_000; other++) log(`line ${other}`)
  log('a')
  assert.equal(told.at(-1), 'a', 'forgotten by then')
})
