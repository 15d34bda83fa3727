import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peerKey, rootKey } from '../../src/core/types.ts'
import { Inbox } from '../../src/sim/inbox.ts'

const notice = (piece: number) =>
  ({ type: 'expects', root: rootKey('share'), peer: peerKey('A'), pieces: [piece] }) as const

/** The pieces of all that has come by then. */
function read(inbox: Inbox, now: number): (number | undefined)[] {
  const pieces: (number | undefined)[] = []
  for (let event = inbox.take(now); event?.type === 'expects'; event = inbox.take(now))
    pieces.push(event.pieces[0])
  return pieces
}

describe('an inbox', () => {
  it('gives what has come, in the order in which it came, and at the same time in which it was sent', () => {
    const inbox = new Inbox()
    for (const [piece, due] of [20, 10, 30, 10, 20].entries()) inbox.put(notice(piece), due)
    assert.equal(inbox.due, 10)
    assert.deepEqual(read(inbox, 5), [])
    assert.deepEqual(read(inbox, 20), [1, 3, 0, 4])
    assert.equal(inbox.due, 30)
    assert.deepEqual(read(inbox, 99), [2])
    assert.equal(inbox.due, Number.POSITIVE_INFINITY)
  })

  it('tells when the first changes', () => {
    const inbox = new Inbox()
    assert.deepEqual(
      [20, 20, 30, 10].map((due, piece) => inbox.put(notice(piece), due)),
      [true, false, false, true],
    )
  })

  it('loses nothing over a long time', () => {
    const inbox = new Inbox()
    const got: (number | undefined)[] = []
    for (let piece = 0; piece < 5000; piece++) {
      inbox.put(notice(piece), piece + 20)
      got.push(...read(inbox, piece))
    }
    got.push(...read(inbox, 6000))
    assert.deepEqual(got, [...Array(5000).keys()])
  })
})
