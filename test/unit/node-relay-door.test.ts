/** Whom the relay gives a place, and which pairs it joins. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Libp2p, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { RelayDoor } from '../../src/node/ways-in/relay-server.ts'

const HOP = '/libp2p/circuit/relay/0.2.0/hop'
const STOP = '/libp2p/circuit/relay/0.2.0/stop'

interface Guest {
  readonly name: string
  readonly host: string
  /** Pairs it asked for, or something else by the same protocol. */
  readonly pairs?: number
  /** Pairs that it is the other end of. */
  readonly met?: number
}

const idOf = (name: string): PeerId =>
  ({ toString: () => name, equals: (other: PeerId) => other.toString() === name }) as unknown as PeerId

function doorWith(guests: readonly Guest[]): { door: RelayDoor; leave(name: string): void } {
  const events = new EventTarget()
  const connections = guests.map(({ name, host, pairs = 0, met = 0 }) => ({
    remotePeer: idOf(name),
    remoteAddr: multiaddr(`${host.includes(':') ? '/ip6' : '/ip4'}/${host}/tcp/1`),
    streams: [
      ...Array.from({ length: pairs }, () => ({ protocol: HOP, direction: 'inbound' })),
      ...Array.from({ length: met }, () => ({ protocol: STOP, direction: 'outbound' })),
    ],
  }))
  const libp2p = {
    addEventListener: events.addEventListener.bind(events),
    getConnections: (peer?: PeerId) =>
      connections.filter(({ remotePeer }) => peer === undefined || remotePeer.equals(peer)),
  }
  const door = new RelayDoor()
  door.attach(libp2p as unknown as Libp2p)
  return {
    door,
    leave: (name) => void events.dispatchEvent(new CustomEvent('peer:disconnect', { detail: idOf(name) })),
  }
}

const crowd = (count: number, host: string, pairs = 0): Guest[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${host} ${at}`, host, pairs }))

describe('a place at the relay', () => {
  it('is given to sixteen of one address, and again to one that has it', () => {
    const { door } = doorWith([...crowd(20, '5.5.5.5'), ...crowd(1, '6.6.6.6')])
    const refused = crowd(20, '5.5.5.5').filter(({ name }) => door.refusesPlace(idOf(name)))
    assert.equal(refused.length, 4)
    assert.equal(door.refusesPlace(idOf('5.5.5.5 0')), false)
    assert.equal(door.refusesPlace(idOf('6.6.6.6 0')), false)
  })

  it('is free again when its guest has left', () => {
    const { door, leave } = doorWith(crowd(17, '5.5.5.5'))
    for (const { name } of crowd(16, '5.5.5.5')) door.refusesPlace(idOf(name))
    assert.equal(door.refusesPlace(idOf('5.5.5.5 16')), true)
    leave('5.5.5.5 3')
    assert.equal(door.refusesPlace(idOf('5.5.5.5 16')), false)
  })

  it('counts the network of an IPv6 address as one', () => {
    const guests = Array.from({ length: 17 }, (_, at) => ({ name: `g${at}`, host: `2a01:1:2:3::${at + 1}` }))
    const { door } = doorWith(guests)
    assert.equal(guests.filter(({ name }) => door.refusesPlace(idOf(name))).length, 1)
  })

  it('is not given to a peer that is not connected', () => {
    assert.equal(doorWith([]).door.refusesPlace(idOf('nobody')), true)
  })
})

describe('a pair', () => {
  const CASES: [string, Guest[], boolean][] = [
    ['the first of a peer', [{ name: 'a', host: '5.5.5.5', pairs: 1 }], false],
    ['the eighth of a peer', [{ name: 'a', host: '5.5.5.5', pairs: 8 }], false],
    ['the ninth of a peer', [{ name: 'a', host: '5.5.5.5', pairs: 9 }], true],
    [
      'one more of a full address',
      [{ name: 'a', host: '5.5.5.5', pairs: 1 }, ...crowd(3, '5.5.5.5', 8)],
      true,
    ],
    [
      'one more of a full relay',
      [
        { name: 'a', host: '5.5.5.5', pairs: 1 },
        ...Array.from({ length: 16 }, (_, at) => ({ name: `met ${at}`, host: `6.6.6.${at}`, met: 8 })),
      ],
      true,
    ],
    [
      'asked for while strangers ask for much and get nothing',
      [
        { name: 'a', host: '5.5.5.5', pairs: 1 },
        ...Array.from({ length: 40 }, (_, at) => crowd(1, `6.6.6.${at}`, 8)).flat(),
      ],
      false,
    ],
  ]
  for (const [what, guests, refused] of CASES) {
    it(`that is ${what} is ${refused ? 'refused' : 'joined'}`, () => {
      assert.equal(doorWith(guests).door.refusesPair(idOf('a')), refused)
    })
  }
})
