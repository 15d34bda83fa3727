/** Each way in which a search comes to nothing is told apart, with what to do next. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nobodyFound, searchInfo } from '../../src/node/search-steps.ts'

const CASES = [
  // said reached found  step             the message
  [0, 0, 0, 'unannounced', /^nobody found within 5s who has it: nobody announces it$/],
  [1, 0, 0, 'not dialable', /: one peer is said to, and cannot be dialled \(ECONNREFUSED\)$/],
  [3, 0, 0, 'not dialable', /: 3 peers are said to, and cannot be dialled/],
  [3, 1, 0, 'lacks it', /: 3 peers are said to, and when asked did not$/],
] as const

describe('a search', () => {
  for (const [said, reached, found, step, message] of CASES) {
    it(`of ${said} who are said to have it, ${reached} of them reached: ${step}`, () => {
      const info = searchInfo({ said, reached, found, problem: 'ECONNREFUSED' })
      assert.equal(info.step, step)
      const error = nobodyFound(info, 'within 5s')
      assert.match(error.message, message)
      assert.equal(error.exitCode, 3)
      assert.notEqual(error.hint, '')
    })
  }

  it('in which somebody has it has come to something, whoever could not be dialled', () => {
    assert.equal(searchInfo({ said: 3, reached: 0, found: 1, problem: 'timeout' }).step, 'has it')
  })
})
