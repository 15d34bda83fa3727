/** Which addresses may be called: those of the world, and others where somebody told of them who may. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { Vouched } from '../../src/node/ways-in/vouched.ts'

const PEER = '12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8'
const OTHER = '12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo'

test('a private address may be called once it was vouched for, a public one always', () => {
  const vouched = new Vouched()
  vouched.vouch([multiaddr('/ip4/192.168.1.2/tcp/4141'), multiaddr(`/dns4/nas.example/tcp/4141/p2p/${PEER}`)])
  const table: [string, boolean][] = [
    ['/ip4/45.1.0.1/tcp/4141', true],
    ['/dns4/example.org/tcp/443/tls/ws', true],
    [`/ip4/192.168.1.2/tcp/4141/p2p/${OTHER}`, true],
    ['/ip4/192.168.1.2/tcp/80', false],
    ['/ip4/192.168.1.2/udp/4141/quic-v1', false],
    ['/ip4/192.168.1.1/tcp/4141', false],
    ['/ip4/10.0.0.1/tcp/443/tls/ws', false],
    ['/ip4/127.0.0.1/tcp/80', false],
    ['/ip4/169.254.169.254/tcp/80', false],
    ['/ip6/fd00::1/tcp/80', false],
    ['/ip6/64:ff9b::c0a8:101/tcp/80', false],
    // where the name led to that the user gave
    [`/ip4/192.168.1.9/tcp/4141/p2p/${PEER}`, true],
    [`/ip4/192.168.1.9/tcp/4141/p2p/${OTHER}`, false],
    [`/ip4/192.168.1.9/tcp/4141/p2p/${OTHER}/p2p-circuit/p2p/${PEER}`, true],
  ]
  for (const [address, may] of table) assert.equal(vouched.admits(multiaddr(address)), may, address)
})
