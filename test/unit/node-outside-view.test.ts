/** What peers say of where they see this node, and what kind of router follows from it. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Connection, IdentifyResult, Libp2pEvents } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { type Mapping, OutsideView } from '../../src/node/ways-in/outside-view.ts'
import type { SharedPort } from '../../src/node/ways-in/shared-port.ts'

const OWN = ['192.168.1.2']

/** A view of this node, as the peers at these addresses report it. */
function viewOf(reports: readonly { by: string; sees: string; shared?: boolean }[]): OutsideView {
  const shared = new WeakSet<Connection>()
  const outside = new OutsideView({ has: (connection: Connection) => shared.has(connection) } as SharedPort)
  const events = new EventTarget()
  const service = outside.service()({ events } as unknown as Parameters<
    ReturnType<OutsideView['service']>
  >[0])
  void service.start()
  for (const [at, report] of reports.entries()) {
    const connection = { direct: true, remoteAddr: multiaddr(report.by) } as Connection
    if (report.shared !== false) shared.add(connection)
    const detail = { connection, peerId: `peer ${at}`, observedAddr: multiaddr(report.sees) }
    const event = new CustomEvent<IdentifyResult>('peer:identify' satisfies keyof Libp2pEvents, {
      detail: detail as unknown as IdentifyResult,
    })
    events.dispatchEvent(event)
  }
  return outside
}

const [A, B] = ['/ip4/8.8.8.8/tcp/1', '/ip4/9.9.9.9/tcp/1']

const ROUTERS: [string, Parameters<typeof viewOf>[0], Mapping][] = [
  ['nobody has said anything', [], 'unknown'],
  ['one peer alone', [{ by: A, sees: '/ip4/5.5.5.5/tcp/7' }], 'unknown'],
  [
    'the same port for both',
    [
      { by: A, sees: '/ip4/5.5.5.5/tcp/7' },
      { by: B, sees: '/ip4/5.5.5.5/tcp/7' },
    ],
    'endpoint-independent',
  ],
  [
    'another port for each',
    [
      { by: A, sees: '/ip4/5.5.5.5/tcp/7' },
      { by: B, sees: '/ip4/5.5.5.5/tcp/8' },
    ],
    'symmetric',
  ],
  [
    'its own address',
    [
      { by: A, sees: '/ip4/192.168.1.2/tcp/7' },
      { by: B, sees: '/ip4/5.5.5.5/tcp/7' },
    ],
    'unknown',
  ],
]

describe('a router', () => {
  for (const [what, reports, mapping] of ROUTERS) {
    it(`with ${what}: ${mapping}`, () => assert.equal(viewOf(reports).mapping(OWN), mapping))
  }

  it('is none where peers see this machine at its own address', () => {
    assert.equal(viewOf([{ by: A, sees: '/ip4/5.5.5.5/tcp/7' }]).mapping(['5.5.5.5']), 'none')
  })
})

describe('where this node is seen', () => {
  it('counts for dials from the shared port alone', () => {
    assert.deepEqual(viewOf([{ by: A, sees: '/ip4/5.5.5.5/tcp/7', shared: false }]).addresses, [])
  })

  it('is told once, the latest first, and forgotten when the network changes', () => {
    const view = viewOf([
      { by: A, sees: '/ip4/5.5.5.5/tcp/7' },
      { by: B, sees: '/ip6/2a01::2/tcp/9' },
      {
        by: '/ip4/1.1.1.1/tcp/1',
        sees: '/ip4/5.5.5.5/tcp/7/p2p/12D3KooWRWAVsNWBRUFMdZeBsCFQH3kTnm53f5zyLG9MoDaMh72j',
      },
    ])
    assert.deepEqual(view.addresses.map(String), ['/ip4/5.5.5.5/tcp/7', '/ip6/2a01::2/tcp/9'])
    view.forget()
    assert.deepEqual(view.addresses, [])
  })
})
