import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Bitfield } from '../../src/core/bitfield.ts'
import type { WireEvent } from '../../src/exchange/peer-wire/events.ts'
import { encodeExtension } from '../../src/exchange/peer-wire/extensions.ts'
import { encodeHandshake } from '../../src/exchange/peer-wire/handshake.ts'
import { encodeMessage, type KnownMessage } from '../../src/exchange/peer-wire/messages.ts'
import { bytes, joined } from './peer-wire-bytes.ts'
import { deliver, End, have, ROOT, settle } from './peer-wire-pair.ts'

const SIZES = [4, 4, 4, 4, 4, 4, 4, 4, 4, 2]

const types = (end: End): string[] => end.took().map((event) => event.type)
const only = <T extends WireEvent['type']>(end: End, type: T): Extract<WireEvent, { type: T }> => {
  const found = end.took().filter((event): event is Extract<WireEvent, { type: T }> => event.type === type)
  assert.equal(found.length, 1)
  return found[0] as Extract<WireEvent, { type: T }>
}

describe('the handshake', () => {
  it('lets the one who was dialled learn the root', () => {
    const dialler = new End()
    const listener = new End()
    dialler.connection.introduce(ROOT)
    deliver(dialler, listener)
    const { root, handshake } = only(listener, 'greeted')
    assert.deepEqual(root, ROOT)
    assert.deepEqual([handshake.version, handshake.requests, handshake.seed], ['test', 4, false])
    listener.connection.introduce(root)
    deliver(listener, dialler)
    assert.deepEqual(types(dialler), ['greeted'])
    assert.deepEqual([dialler.connection.phase, listener.connection.phase], ['counting', 'counting'])
    assert.ok(dialler.connection.speaks('share_offer') && listener.connection.speaks('share_pex'))
  })

  it('opens the trade once both have counted, the seeder first', () => {
    const seeder = new End()
    const leecher = new End()
    seeder.connection.introduce(ROOT, { sizes: SIZES, have: Bitfield.full(10) })
    leecher.connection.introduce(ROOT)
    settle(seeder, leecher)
    assert.deepEqual(leecher.took().slice(1), [{ type: 'counted', pieces: 10, seed: true }])
    assert.deepEqual(types(seeder), ['greeted'])
    assert.deepEqual([seeder.connection.phase, leecher.connection.phase], ['counting', 'counting'])
    assert.equal(leecher.connection.receiving, undefined)

    leecher.connection.count({ sizes: SIZES, have: new Bitfield(10) })
    assert.equal(leecher.connection.phase, 'listing')
    deliver(leecher, seeder)
    assert.deepEqual(types(seeder), ['counted', 'listed'])
    assert.equal(seeder.connection.phase, 'trading')
    deliver(seeder, leecher)
    assert.equal(only(leecher, 'listed').have.count, 10)
    assert.equal(leecher.connection.phase, 'trading')
  })

  it('opens it when the last to count is the one who was dialled, and counts in answer to the greeting', () => {
    const dialler = new End()
    const listener = new End()
    listener.onEvent = (event) => {
      if (event.type === 'counted')
        listener.connection.introduce(ROOT, { sizes: SIZES, have: new Bitfield(10) })
    }
    dialler.connection.introduce(ROOT, { sizes: SIZES, have: Bitfield.full(10) })
    settle(dialler, listener)
    assert.deepEqual(types(listener), ['greeted', 'counted', 'listed'])
    assert.deepEqual(types(dialler), ['greeted', 'counted', 'listed'])
  })

  it('tells what is there when it is told, not when it was counted', () => {
    const early = new End()
    const late = new End()
    const mine = have(10, [1])
    early.connection.introduce(ROOT, { sizes: SIZES, have: mine })
    late.connection.introduce(ROOT)
    settle(early, late)
    mine.add(2)
    late.connection.count({ sizes: SIZES, have: new Bitfield(10) })
    settle(early, late)
    assert.deepEqual([...only(late, 'listed').have], [1, 2])
  })

  // pieces that are there, and how they are told
  for (const [indexes, told] of [
    [[], '00000001 0f'],
    [[0, 9], '00000003 05 8040'],
    [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], '00000001 0e'],
  ] as const) {
    it(`says ${told} for ${indexes.length} of ten pieces`, () => {
      const end = new End()
      end.connection.introduce(ROOT, { sizes: SIZES, have: have(10, indexes) })
      end.connection.next()
      end.receive(handshake({ pieces: 10 }))
      assert.deepEqual(joined(end.connection.next()?.parts ?? []), bytes(told))
    })
  }

  it('counts a share without pieces', () => {
    const [one, other] = [new End(), new End()]
    for (const end of [one, other]) end.connection.introduce(ROOT, { sizes: [], have: new Bitfield(0) })
    settle(one, other)
    assert.deepEqual([one.connection.phase, other.connection.phase], ['trading', 'trading'])
  })

  it('takes peers from the greeting on', () => {
    const [one, other] = [new End(), new End()]
    const news = { added: [{ id: bytes('05'), addresses: [] }], dropped: [] }
    one.connection.introduce(ROOT)
    assert.equal(one.connection.tellPeers(news), false)
    settle(one, other)
    assert.equal(other.connection.tellPeers(news), false)
    other.connection.introduce(ROOT)
    settle(one, other)
    assert.ok(other.connection.tellPeers(news))
    deliver(other, one)
    assert.deepEqual(one.took().slice(1), [{ type: 'peers', ...news }])
  })

  it('forgets an extension that is taken back', () => {
    const { end } = inPhase('trading')
    assert.ok(end.connection.speaks('share_offer'))
    end.receive(message({ type: 'extended', id: 0, payload: bytes("'d1:md11:share_offeri0eee'") }))
    assert.deepEqual(
      [end.connection.speaks('share_offer'), end.connection.speaks('share_ack')],
      [false, true],
    )
  })
})

describe('what ends a handshake', () => {
  it('another root, found by either', () => {
    const dialler = new End()
    dialler.connection.introduce(ROOT)
    const other = ROOT.map((byte) => byte ^ 1)
    assert.throws(() => dialler.receive(handshake({ root: other })), { code: 'wrong-root', blame: 'peer' })
    assert.equal(dialler.connection.phase, 'closed')

    const listener = new End()
    listener.receive(handshake({ root: other }))
    assert.throws(() => listener.connection.introduce(ROOT), { code: 'wrong-root', blame: 'peer' })
    assert.equal(listener.connection.phase, 'closed')
  })

  it('no root', () => {
    const listener = new End()
    const greeting = message({ type: 'extended', id: 0, payload: bytes("'de'") })
    assert.throws(() => listener.receive(greeting), { code: 'wrong-root', blame: 'peer' })
  })

  it('another number of pieces, which blames nobody', () => {
    const first = new End()
    first.connection.introduce(ROOT, { sizes: SIZES, have: new Bitfield(10) })
    assert.throws(() => first.receive(handshake({ pieces: 11 })), { code: 'count-differs', blame: 'nobody' })
    assert.equal(first.connection.phase, 'closed')

    const second = new End()
    second.connection.introduce(ROOT)
    second.receive(handshake({ pieces: 11 }))
    assert.throws(() => second.connection.count({ sizes: SIZES, have: new Bitfield(10) }), {
      code: 'count-differs',
      blame: 'nobody',
    })
    assert.equal(second.connection.phase, 'closed')
    assert.equal(second.connection.next(), undefined)
  })

  it('a number of pieces that changes', () => {
    const { end } = inPhase('trading')
    end.receive(handshake({ pieces: 10 }))
    assert.throws(() => end.receive(handshake({ pieces: 11 })), { code: 'count-changed', blame: 'peer' })
  })

  for (const [length, wrong] of [
    [0, true],
    [1, true],
    [2, false],
    [3, true],
  ] as const) {
    it(`a bitfield of ${length} bytes for ten pieces ${wrong ? 'does' : 'does not'}`, () => {
      const { end } = inPhase('listing')
      const list = message({ type: 'bitfield', bits: new Uint8Array(length) })
      if (wrong) assert.throws(() => end.receive(list), { code: 'malformed', blame: 'peer' })
      else assert.doesNotThrow(() => end.receive(list))
    })
  }

  it('nothing that comes after a violation', () => {
    const { end } = inPhase('greeting')
    assert.throws(() => end.receive(message({ type: 'choke' })), { code: 'too-early' })
    end.took()
    end.receive(handshake({ pieces: 10 }))
    assert.deepEqual(end.took(), [])
    assert.equal(end.connection.phase, 'closed')
  })
})

describe('the phases', () => {
  const SPAN = { index: 0, begin: 0, length: 4 }
  const offer = encodeExtension({ name: 'share_offer', index: 1, eager: false, rate: 1, start: 0 })
  const pex = encodeExtension({ name: 'share_pex', added: [], dropped: [] })
  const MESSAGES: Readonly<Record<string, Uint8Array>> = {
    handshake: handshake({ pieces: 10 }),
    pex: message({ type: 'extended', id: 6, payload: pex }),
    bitfield: message({ type: 'bitfield', bits: bytes('0000') }),
    'have-all': message({ type: 'have-all' }),
    'have-none': message({ type: 'have-none' }),
    have: message({ type: 'have', index: 1 }),
    unchoke: message({ type: 'unchoke' }),
    interested: message({ type: 'interested' }),
    request: message({ type: 'request', ...SPAN }),
    cancel: message({ type: 'cancel', ...SPAN }),
    suggest: message({ type: 'suggest', index: 1 }),
    offer: message({ type: 'extended', id: 1, payload: offer }),
    'keep-alive': message({ type: 'keep-alive' }),
    port: message({ type: 'port', port: 1 }),
    'an unknown id': bytes('00000003 2a 0102'),
    'an unknown extension': message({ type: 'extended', id: 99, payload: bytes("'x'") }),
    'a hash request': message({
      type: 'hash-request',
      root: new Uint8Array(32),
      baseLayer: 0,
      index: 0,
      length: 2,
      proofLayers: 0,
    }),
  }
  // + taken, - ignored or without an event, ! too early, 2 a second list
  const TABLE: readonly [string, string][] = [
    //                         greeting  counting  listing  trading
    ['handshake             ', '+         +         -        -'],
    ['pex                   ', '!         +         +        +'],
    ['bitfield              ', '!         !         +        2'],
    ['have-all              ', '!         !         +        2'],
    ['have-none             ', '!         !         +        2'],
    ['have                  ', '!         !         !        +'],
    ['unchoke               ', '!         !         !        +'],
    ['interested            ', '!         !         !        +'],
    ['request               ', '!         !         !        -'],
    ['cancel                ', '!         !         !        -'],
    ['suggest               ', '!         !         !        +'],
    ['offer                 ', '!         !         !        +'],
    ['keep-alive            ', '-         -         -        -'],
    ['port                  ', '-         -         -        -'],
    ['an unknown id         ', '-         -         -        -'],
    ['an unknown extension  ', '-         -         -        -'],
    ['a hash request        ', '-         -         -        -'],
  ]
  const PHASES = ['greeting', 'counting', 'listing', 'trading'] as const
  for (const [name, row] of TABLE) {
    it(`take or leave ${name.trim()}`, () => {
      const outcomes = PHASES.map((phase) => outcome(phase, MESSAGES[name.trim()] ?? assert.fail(name)))
      assert.deepEqual(outcomes, row.split(/\s+/))
    })
  }

  function outcome(phase: (typeof PHASES)[number], sent: Uint8Array): string {
    const { end } = inPhase(phase)
    try {
      end.receive(sent)
    } catch (thrown) {
      const code = thrown instanceof Error && 'code' in thrown ? thrown.code : thrown
      return { 'too-early': '!', 'listed-twice': '2' }[String(code)] ?? String(code)
    }
    return end.took().length > 0 ? '+' : '-'
  }
})

/** An end that a hand-made peer has brought to a phase; it has counted ten pieces from `listing` on. */
function inPhase(phase: 'greeting' | 'counting' | 'listing' | 'trading'): { end: End } {
  const end = new End()
  const pieces = { sizes: SIZES, have: new Bitfield(10) }
  end.connection.introduce(ROOT, phase === 'counting' ? undefined : pieces)
  if (phase !== 'greeting') end.receive(handshake(phase === 'counting' ? {} : { pieces: 10 }))
  if (phase === 'trading') end.receive(message({ type: 'have-none' }))
  assert.equal(end.connection.phase, phase)
  end.took()
  return { end }
}

function handshake(fields: { root?: Uint8Array; pieces?: number }): Uint8Array {
  const payload = encodeHandshake({
    root: fields.root ?? ROOT,
    version: 'x',
    requests: 4,
    pieces: fields.pieces,
    seed: false,
    extensions: { share_offer: 1, share_ack: 5 },
  })
  return message({ type: 'extended', id: 0, payload })
}

function message(known: KnownMessage): Uint8Array {
  return joined(encodeMessage(known))
}
