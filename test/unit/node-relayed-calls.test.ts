/** Which connections through relays give way after one more was made. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { RelayedCalls } from '../../src/node/ways-in/relayed-calls.ts'

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

/** A node whose last line was made just now. */
function node(t: TestContext, lines: readonly Line[], needed: Set<string> = new Set()) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 })
  const hungUp: string[] = []
  const connections = lines.map(({ name, age, address = RELAY, direction = 'outbound' }) => ({
    remotePeer: { toString: () => name },
    remoteAddr: multiaddr(address),
    direction,
    status: 'open',
    timeline: { open: 1_000_000 - age * 1000 },
    async close() {
      this.status = 'closed'
      hungUp.push(name)
    },
  }))
  const events = new EventTarget()
  const libp2p = {
    addEventListener: events.addEventListener.bind(events),
    getConnections: () => connections,
  }
  new RelayedCalls(libp2p as unknown as Libp2p, (peer) => needed.has(peer))
  events.dispatchEvent(new CustomEvent('connection:open', { detail: connections.at(-1) }))
  return {
    hungUp,
    pass: (seconds: number) => {
      for (let at = 0; at < seconds; at++) t.mock.timers.tick(1000)
    },
  }
}

describe('connections through relays', () => {
  it('stay while they are four', (t) => {
    const { hungUp, pass } = node(t, [...relayed(3, 600), ...relayed(1, 0)])
    pass(60)
    assert.deepEqual(hungUp, [])
  })

  it('give way from the oldest on when there are more', (t) => {
    const { hungUp, pass } = node(t, [...relayed(3, 60), ...relayed(2, 600), ...relayed(1, 0)])
    assert.deepEqual(hungUp, [])
    pass(10)
    assert.deepEqual(hungUp, ['600s 0', '600s 1'])
  })

  it('give way after a burst that took all places, though none can be made then', (t) => {
    const { hungUp, pass } = node(t, relayed(8, 0))
    pass(9)
    assert.deepEqual(hungUp, [])
    pass(1)
    assert.deepEqual(hungUp, ['0s 0', '0s 1', '0s 2', '0s 3'])
  })

  it('stay while something is to come or to go, and go when that is over', (t) => {
    const needed = new Set(relayed(6, 60).map(({ name }) => name))
    const { hungUp, pass } = node(t, [...relayed(6, 60), ...relayed(1, 0)], needed)
    pass(30)
    assert.deepEqual(hungUp, ['0s 0'])
    needed.clear()
    pass(10)
    assert.deepEqual(hungUp, ['0s 0', '60s 0', '60s 1'])
  })

  it('are those that this node has made; direct ones, and others’, are let be', (t) => {
    const others: Line[] = Array.from({ length: 9 }, (_, at) => [
      { name: `in ${at}`, age: 900, direction: 'inbound' as const },
      { name: `direct ${at}`, age: 900, address: '/ip4/5.5.5.5/tcp/1' },
    ]).flat()
    const { hungUp, pass } = node(t, [...others, ...relayed(5, 600)])
    pass(60)
    assert.deepEqual(hungUp, ['600s 0'])
  })
})
