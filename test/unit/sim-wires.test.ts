import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SwarmEvent } from '../../src/swarm/events.ts'
import { type Act, Stage } from './sim-stage.ts'

/** A sends whatever it is asked for. */
const sends = (event: SwarmEvent): readonly Act[] =>
  event.type === 'requested'
    ? [{ type: 'send', piece: event.piece, begin: event.begin / 1024, length: event.length / 1024 }]
    : []

/** B takes whatever it is offered. */
const takes = (event: SwarmEvent): readonly Act[] =>
  event.type === 'offered' ? [{ type: 'request', piece: event.piece }] : []

describe('the share wire', () => {
  it('moves a piece that is offered, in parts that are acknowledged', () => {
    const stage = new Stage('share').when('B', 'offered', takes).when('A', 'requested', sends)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: false })
    assert.deepEqual(stage.run(), [
      '10 B offered 1',
      '20 A requested 1 0+1024 as offered',
      '276 A sent 1 0+256',
      '286 B arrived 1 0+256',
      '296 A delivered 1 0+256',
      '532 A sent 1 0+256',
      '542 B arrived 1 256+256',
      '552 A delivered 1 0+256',
      '788 A sent 1 0+256',
      '798 B arrived 1 512+256',
      '808 A delivered 1 0+256',
      '1044 A sent 1 0+256',
      '1054 B arrived 1 768+256',
      '1064 A delivered 1 0+256',
    ])
  })

  it('sends an eager piece along with its offer; a request for all of it accepts it', () => {
    const stage = new Stage('share').when('B', 'offered', takes)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: true })
    const lines = stage.run()
    assert.deepEqual(lines.slice(0, 4), [
      '10 B offered 1 eagerly',
      '20 A accepted 1',
      '256 A sent 1 0+256',
      '266 B arrived 1 0+256',
    ])
    assert.equal(lines.at(-1), '1044 A delivered 1 0+256')
  })

  it('cuts an eager piece off when it is declined, or busy, or not answered; what had left is in vain', () => {
    const answers: Record<string, [readonly Act[], string]> = {
      declined: [[{ type: 'decline', piece: 1 }], '20 A declined 1'],
      busy: [[{ type: 'busy', piece: 1, ms: 70 }], '20 A busy 1 70 ms'],
      ignored: [[], '20 A declined 1'],
    }
    for (const [what, [answer, told]] of Object.entries(answers)) {
      const stage = new Stage('share').when('B', 'offered', () => answer)
      stage.at(0, 'A', { type: 'offer', piece: 1, eager: true })
      assert.deepEqual(
        stage.run(),
        ['10 B offered 1 eagerly', '20 A sent 1 0+20', told, '30 B progressed', '40 A delivered 1 0+20'],
        what,
      )
      assert.equal(stage.tally.duplicate, 20 << 10)
      assert.equal(stage.tally.sent, 20 << 10)
    }
  })

  it('hands over the end of a request: it is shortened there, and no more than that is sent', () => {
    const stage = new Stage('share').when('B', 'offered', takes).when('A', 'requested', sends)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: false })
    stage.at(300, 'B', { type: 'cancel', piece: 1, begin: 600, length: 424 })
    const lines = stage.run()
    assert.ok(lines.includes('310 A shortened 1 0+600'))
    assert.deepEqual(
      lines.filter((line) => /arrived|rejected/.test(line)),
      ['286 B arrived 1 0+256', '542 B arrived 1 256+256', '630 B arrived 1 512+88'],
    )
    assert.equal(stage.tally.sent, 600 << 10)
    assert.equal(stage.tally.duplicate, 0)
  })

  it('sends what had left before the request got shorter; nothing but that is in vain', () => {
    const stage = new Stage('share').when('B', 'offered', takes).when('A', 'requested', sends)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: false })
    // at 310 A has sent 290
    stage.at(300, 'B', { type: 'cancel', piece: 1, begin: 270, length: 754 })
    assert.deepEqual(stage.run().slice(3), [
      '286 B arrived 1 0+256',
      '296 A delivered 1 0+256',
      '310 A sent 1 0+34',
      '310 A shortened 1 0+290',
      '320 B arrived 1 256+14',
      '330 A delivered 1 0+34',
    ])
    assert.equal(stage.tally.duplicate, 20 << 10)
  })

  it('a request that is taken back before it is answered is over', () => {
    const stage = new Stage('share').when('B', 'offered', takes)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: false })
    stage.at(30, 'B', { type: 'cancel', piece: 1 })
    assert.deepEqual(stage.run().slice(2), ['40 A shortened 1 0+0'])
  })

  it('drops an offer that crosses a request; both take the request as the answer', () => {
    const stage = new Stage('share').when('A', 'requested', () => [])
    stage.at(0, 'A', { type: 'unchoke' })
    stage.at(15, 'A', { type: 'offer', piece: 1, eager: false })
    stage.at(15, 'B', { type: 'request', piece: 1 })
    assert.deepEqual(stage.run(), ['10 B unchoked', '25 A requested 1 0+1024 as offered'])
  })

  it('takes an eager piece that crosses a request for all of it, and drops one that crosses a smaller request', () => {
    const whole = new Stage('share').at(0, 'A', { type: 'unchoke' })
    whole.at(15, 'A', { type: 'offer', piece: 1, eager: true }).at(15, 'B', { type: 'request', piece: 1 })
    const lines = whole.run()
    assert.deepEqual(lines.slice(0, 2), ['10 B unchoked', '25 A accepted 1'])
    assert.equal(lines.filter((line) => line.includes('arrived')).length, 4)

    const part = new Stage('share').at(0, 'A', { type: 'unchoke' }).when('A', 'requested', sends)
    part.at(15, 'A', { type: 'offer', piece: 1, eager: true })
    part.at(15, 'B', { type: 'request', piece: 1, begin: 0, length: 100 })
    assert.deepEqual(part.run().slice(1), [
      '25 A sent 1 0+10',
      '25 A declined 1',
      '25 A requested 1 0+100',
      '35 B progressed',
      '45 A delivered 1 0+10',
      '125 A sent 1 0+100',
      '135 B arrived 1 0+100',
      '145 A delivered 1 0+100',
    ])
  })

  it('answers the empty offer by a request of any bytes, a decline or busy', () => {
    const answers: Record<string, [Act, string]> = {
      request: [
        { type: 'request', piece: 0, begin: 700, length: 200 },
        '20 A requested 0 700+200 as offered',
      ],
      decline: [{ type: 'decline', piece: undefined }, '20 A declined undefined'],
      busy: [{ type: 'busy', piece: undefined, ms: 5 }, '20 A busy undefined 5 ms'],
    }
    for (const [answer, told] of Object.values(answers)) {
      const stage = new Stage('share').when('B', 'idle', () => [answer])
      stage.at(0, 'A', { type: 'offer-uplink' })
      assert.deepEqual(stage.run(), ['10 B idle', told])
    }
  })

  it('rejects what is asked for while choked and not offered, at either end', () => {
    const unknown = new Stage('share').at(0, 'B', { type: 'request', piece: 0 })
    assert.deepEqual(unknown.run(), ['0 B rejected 0 0+1024'])

    const crossing = new Stage('share').at(0, 'A', { type: 'unchoke' }).at(15, 'A', { type: 'choke' })
    crossing.at(15, 'B', { type: 'request', piece: 0 })
    assert.deepEqual(crossing.run(), ['10 B unchoked', '25 B choked', '35 B rejected 0 0+1024'])
  })

  it('a choke ends requests that wait, but neither accepted offers nor answers on their way', () => {
    const stage = new Stage('share', { pieces: 3 }).when('B', 'offered', takes)
    stage.at(0, 'A', { type: 'unchoke' }, { type: 'offer', piece: 0, eager: false })
    stage.at(15, 'B', { type: 'request', piece: 1 }, { type: 'request', piece: 2 })
    stage.at(30, 'A', { type: 'send', piece: 1 }, { type: 'choke' })
    const lines = stage.run()
    assert.deepEqual(
      lines.filter((line) => line.includes('rejected')),
      ['40 B rejected 2 0+1024'],
    )
    assert.equal(lines.filter((line) => line.includes('arrived 1')).length, 4)
  })

  it('answers one after the other, in the order in which they were given', () => {
    const stage = new Stage('share', { pieces: 3 }).at(0, 'A', { type: 'unchoke' })
    stage.at(15, 'B', ...[0, 1, 2].map((piece): Act => ({ type: 'request', piece, length: 100 })))
    stage.at(30, 'A', ...[2, 0, 1].map((piece): Act => ({ type: 'send', piece, length: 100 })))
    assert.deepEqual(
      stage.run().filter((line) => line.includes('arrived')),
      ['140 B arrived 2 0+100', '240 B arrived 0 0+100', '340 B arrived 1 0+100'],
    )
  })

  it('both ends lose a connection, and what was on its way', () => {
    const stage = new Stage('share').when('B', 'offered', takes).when('A', 'requested', sends)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: false }).closeAt(300, 'B')
    const lines = stage.run()
    assert.deepEqual(lines.slice(-2), ['300 B left', '310 A left'])
    // a part and some of the next, of which the first came, and was of no use in the end
    assert.equal(stage.tally.sent, 280 << 10)
    assert.equal(stage.tally.cut, 280 << 10)
  })

  it('refuses what would be a violation: a script that goes on would prove nothing', () => {
    const wrong: readonly (readonly Act[])[] = [
      [{ type: 'send', piece: 0 }],
      [{ type: 'decline', piece: 0 }],
      [{ type: 'suggest', piece: 0 }],
      [
        { type: 'offer', piece: 0, eager: false },
        { type: 'offer', piece: 0, eager: false },
      ],
    ]
    for (const actions of wrong) assert.throws(() => new Stage('share').at(0, 'A', ...actions).run(), /\{"/)
    assert.throws(() => new Stage('share').at(0, 'B', { type: 'offer', piece: 0, eager: false }).run())
  })
})

describe('the bittorrent wire', () => {
  it('moves a piece that is asked for, and knows only what has left', () => {
    const stage = new Stage('bittorrent').when('A', 'requested', sends)
    stage.at(0, 'A', { type: 'suggest', piece: 1 }, { type: 'unchoke' })
    stage.at(34, 'B', { type: 'request', piece: 1 })
    assert.deepEqual(stage.run(), [
      '10 B suggested 1',
      '10 B unchoked',
      '44 A requested 1 0+1024',
      '300 A delivered 1 0+256',
      '310 B arrived 1 0+256',
      '556 A delivered 1 0+256',
      '566 B arrived 1 256+256',
      '812 A delivered 1 0+256',
      '822 B arrived 1 512+256',
      '1068 A delivered 1 0+256',
      '1078 B arrived 1 768+256',
    ])
  })
})

describe('the bitswap wire', () => {
  it('answers a question at once where it is yes, and later where it is no', () => {
    const stage = new Stage('bitswap')
    stage.at(0, 'B', { type: 'ask', pieces: [0, 1] }).at(5, 'A', { type: 'ask', pieces: [0, 1] })
    stage.at(50, 'B', { type: 'have', piece: 1 })
    assert.deepEqual(stage.run(), ['20 B has 0,1', '25 A lacks 0,1', '60 A has 1'])
  })

  it('a whole piece comes by one message', () => {
    const stage = new Stage('bitswap').when('A', 'requested', sends)
    stage.at(0, 'B', { type: 'request', piece: 1 })
    assert.deepEqual(
      stage.run().filter((line) => line.includes(' B ')),
      ['276 B progressed', '532 B progressed', '788 B progressed', '1044 B received 1'],
    )
  })

  it('takes a want back that is not served yet, and no other', () => {
    const waiting = new Stage('bitswap').at(0, 'B', { type: 'request', piece: 1 })
    waiting.at(30, 'B', { type: 'cancel', piece: 1 })
    assert.deepEqual(waiting.run(), ['10 A requested 1 0+1024', '40 A shortened 1 0+0'])

    const served = new Stage('bitswap')
      .when('A', 'requested', sends)
      .at(0, 'B', { type: 'request', piece: 1 })
    served.at(30, 'B', { type: 'cancel', piece: 1 })
    const lines = served.run()
    assert.ok(!lines.some((line) => line.includes('shortened')))
    assert.equal(lines.at(-1), '1044 B received 1')
  })

  it('says what it lacks of what is wanted, which then is not wanted any more', () => {
    const stage = new Stage('bitswap').at(0, 'A', { type: 'request', piece: 1 })
    stage.at(50, 'B', { type: 'have', piece: 1 })
    assert.deepEqual(stage.run(), ['20 A lacks 1'])
  })
})

describe('what peers of other conduct do', () => {
  it('a corrupt one sends bytes that turn out to be wrong', () => {
    const stage = new Stage('share', { conduct: 'corrupt' }).when('A', 'requested', sends)
    stage.when('B', 'offered', takes).at(0, 'A', { type: 'offer', piece: 1, eager: false })
    stage.at(1100, 'B', { type: 'verify-and-store', piece: 1 })
    assert.equal(stage.run().at(-1), '1101 B refuted 1')
    assert.equal(stage.tally.corrupt, 1024 << 10)
    assert.equal(stage.tally.useful, 0)
  })

  it('a free rider offers nothing and unchokes nobody', () => {
    const stage = new Stage('share', { conduct: 'free-rider' })
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: true }, { type: 'offer-uplink' }, { type: 'unchoke' })
    stage.at(0, 'B', { type: 'interested' })
    assert.deepEqual(stage.run(), [])
  })
})

describe('what came in', () => {
  it('is verified and stored when it is whole, each taking a moment', () => {
    const stage = new Stage('share').when('B', 'offered', takes).when('A', 'requested', sends)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: false })
    stage.at(1100, 'B', { type: 'verify-and-store', piece: 1 })
    assert.deepEqual(stage.run().slice(-2), ['1101 B verified 1', '1102 B stored 1'])
    assert.deepEqual([stage.tally.useful, stage.tally.cut], [1024 << 10, 0])
  })

  it('is not verified before', () => {
    const stage = new Stage('share').when('B', 'offered', takes).when('A', 'requested', sends)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: false })
    stage.at(900, 'B', { type: 'verify-and-store', piece: 1 })
    assert.throws(() => stage.run(), /786432 bytes/)
  })

  it('can be dropped', () => {
    const stage = new Stage('share').when('B', 'offered', takes).when('A', 'requested', sends)
    stage.at(0, 'A', { type: 'offer', piece: 1, eager: false })
    stage.at(1100, 'B', { type: 'discard', piece: 1 })
    stage.run()
    assert.equal(stage.tally.cut, 1024 << 10)
  })
})

describe('news', () => {
  it('that a piece is there waits for others, or for the next message, and at most 100 ms', () => {
    const stage = new Stage('share', { pieces: 9 })
    stage.at(0, 'B', { type: 'have', piece: 0 }).at(20, 'B', { type: 'have', piece: 1 })
    stage.at(60, 'B', { type: 'interested' }).at(70, 'B', { type: 'have', piece: 2 })
    stage.at(150, 'B', { type: 'have', piece: 3 }).at(160, 'B', { type: 'expect', piece: 4 })
    assert.deepEqual(stage.run(), [
      '70 A has 0,1',
      '70 A interested',
      '110 A has 2',
      '170 A has 3',
      '170 A expects 4',
    ])
  })

  it('of what is expected goes to share peers alone', () => {
    const stage = new Stage('bittorrent', { pieces: 9 })
    stage.at(
      0,
      'B',
      { type: 'expect', piece: 4 },
      { type: 'expect-no-more', piece: 4 },
      { type: 'have', piece: 5 },
    )
    assert.deepEqual(stage.run(), ['110 A has 5'])
  })
})
