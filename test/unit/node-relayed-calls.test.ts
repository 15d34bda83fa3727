/** Which connections through relays give way when one more is made. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { keepRelayedCallsFew } from '../../src/node/ways-in/relayed-calls.ts'

const RELAY = '/ip4/45.1.0.1/tcp/1/p2p/12D3KooWFFu9G55kaMGrutM8Brgeon6ZUMExWQnwZReorFQA3Apk/p2p-circuit'

interface Line {
  readonly name: string
  /** Seconds since it was made. */
  readonly age: number
  readonly address?: string
  readonly direction?: 'inbound' | 'outbound'
}

const relayed = (count: number, age: number): Line[] =>
  Array.from({ length: count }, (_, at) => ({ name: `${age}s ${at}`, age }))

/** Who is hung up on when the last of them has been made. */
function hungUp(lines: readonly Line[], needed: readonly string[] = []): string[] {
  const closed: string[] = []
  const connections = lines.map(({ name, age, address = RELAY, direction = 'outbound' }) => ({
    remotePeer: { toString: () => name },
    remoteAddr: multiaddr(address),
    direction,
    status: 'open',
    timeline: { open: 1_000_000 - age * 1000 },
    close: async () => void closed.push(name),
  }))
  const events = new EventTarget()
  const libp2p = {
    addEventListener: events.addEventListener.bind(events),
    getConnections: () => connections,
  }
  keepRelayedCallsFew(
    libp2p as unknown as Libp2p,
    (peer) => needed.includes(peer),
    () => 1_000_000,
  )
  events.dispatchEvent(new CustomEvent('connection:open', { detail: connections.at(-1) }))
  return closed.sort()
}

describe('connections through relays', () => {
  it('stay while they are four', () => {
    assert.deepEqual(hungUp([...relayed(3, 600), ...relayed(1, 0)]), [])
  })

  it('give way from the oldest on when there are more', () => {
    assert.deepEqual(hungUp([...relayed(2, 600), ...relayed(3, 60), ...relayed(1, 0)]), ['600s 0', '600s 1'])
  })

  it('stay while something is to come or to go', () => {
    assert.deepEqual(hungUp([...relayed(2, 600), ...relayed(5, 60), ...relayed(1, 0)], ['600s 0', '60s 1']), [
      '600s 1',
      '60s 0',
    ])
  })

  it('stay for a while after they were made', () => {
    assert.deepEqual(hungUp([...relayed(12, 10), ...relayed(1, 0)]), [])
  })

  it('are those that this node has made; direct ones, and others’, are let be', () => {
    const others: Line[] = [
      ...Array.from({ length: 9 }, (_, at) => ({
        name: `in ${at}`,
        age: 900,
        direction: 'inbound' as const,
      })),
      ...Array.from({ length: 9 }, (_, at) => ({
        name: `direct ${at}`,
        age: 900,
        address: '/ip4/5.5.5.5/tcp/1',
      })),
    ]
    assert.deepEqual(hungUp([...others, ...relayed(5, 600)]), ['600s 0'])
    assert.deepEqual(hungUp([...relayed(9, 600), ...others]), [])
  })
})
