import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ShareError } from '../../src/core/errors.ts'
import { listenError } from '../../src/node/listen-error.ts'

// Node's own words, in libp2p's frame
const CASES = [
  [
    'listen EADDRINUSE: address already in use 127.0.0.1:4141',
    'CONFLICT',
    'cannot listen on 127.0.0.1:4141: the port is in use',
  ],
  [
    'listen EADDRINUSE: address already in use :::4141',
    'CONFLICT',
    'cannot listen on :::4141: the port is in use',
  ],
  [
    'listen EADDRNOTAVAIL: address not available 192.0.2.1',
    'BAD_CONFIG',
    'cannot listen on 192.0.2.1: not an address of this machine',
  ],
  ['listen EACCES: permission denied 0.0.0.0:80', 'BAD_CONFIG', 'not allowed to listen on 0.0.0.0:80'],
  ['something else', 'INTERNAL', 'could not start the network: '],
] as const

describe('an error in listening', () => {
  for (const [text, code, message] of CASES) {
    it(`says what to do about "${text}"`, () => {
      const error = listenError(
        new Error(`Some configured addresses failed to be listened on:\n\n  /ip4/…:\n  ${text}\n`),
      )
      assert.equal(error.code, code)
      assert.ok(error.message.startsWith(message), error.message)
    })
  }

  it('passes errors on that say it already', () => {
    const error = new ShareError('ALREADY_RUNNING', 'another process uses it', 'stop it')
    assert.equal(listenError(error), error)
  })
})
