/** Asking a router for a port by NAT-PMP: the bytes, which routers are asked, and what becomes of their answers. */
import assert from 'node:assert/strict'
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { NetworkInterfaceInfo } from 'node:os'
import { describe, it, type TestContext } from 'node:test'
import { customaryRouters, routersOf } from '../../src/node/ways-in/default-routers.ts'
import { addressRequest, decodeReply, mappingRequest } from '../../src/node/ways-in/nat-pmp.ts'
import { NatPmpGateway } from '../../src/node/ways-in/nat-pmp-gateway.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('messages of NAT-PMP', () => {
  it('ask as RFC 6886 has it', () => {
    const request = { internalPort: 4141, externalPort: 4142, seconds: 1_200 }
    assert.deepEqual(addressRequest(), hex('00 00'))
    assert.deepEqual(mappingRequest({ ...request, transport: 'udp' }), hex('00 01 0000 102d 102e 000004b0'))
    assert.deepEqual(mappingRequest({ ...request, transport: 'tcp' }), hex('00 02 0000 102d 102e 000004b0'))
  })

  const REPLIES = [
    ['an address', '00 80 0000 00000001 2d0a0101', { to: 'address', host: '45.10.1.1' }],
    [
      'a port',
      '00 82 0000 00000001 102d 102e 000004b0',
      { to: 'tcp', internalPort: 4141, externalPort: 4142, seconds: 1_200 },
    ],
    ['no', '00 81 0002 00000001', { to: 'udp', refused: 'the router has it switched off' }],
    ['a number that nobody knows', '00 82 00ff 00000001', { to: 'tcp', refused: 'the router says 255' }],
    ['nothing', '', undefined],
    ['half an address', '00 80 0000 00000001 2d0a', undefined],
    ['half a port', '00 82 0000 00000001 102d 102e', undefined],
    ['a request', '00 02 0000 102d 102e 000004b0', undefined],
    ['another version', '02 80 0000 00000001 2d0a0101', undefined],
    ['another operation', '00 83 0000 00000001 2d0a0101', undefined],
  ] as const
  for (const [what, bytes, reply] of REPLIES)
    it(`${what}, as a reply`, () => assert.deepEqual(decodeReply(hex(bytes)), reply))
})

describe('the routers that are asked', () => {
  it('are those of the default routes', () => {
    const table = [
      'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT',
      'eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0',
      'eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0',
      'tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0',
      '',
    ]
    assert.deepEqual(routersOf(table.join('\n')), ['192.168.1.1'])
  })

  it('are the first addresses of the networks where there is no table', () => {
    const near = (address: string, netmask: string, internal = false) =>
      ({ address, netmask, internal, family: 'IPv4' }) as NetworkInterfaceInfo
    const all = [
      near('127.0.0.1', '255.0.0.0', true),
      near('192.168.7.40', '255.255.255.0'),
      near('192.168.7.41', '255.255.255.0'),
      near('10.1.2.3', '255.0.0.0'),
    ]
    assert.deepEqual(customaryRouters(all), ['192.168.7.1', '10.0.0.1'])
  })
})

describe('a router that is asked by NAT-PMP', () => {
  it('gives a port, perhaps another than was wished, and gets it back at the end', async (t) => {
    const router = await Router.open(t)
    const gateway = await router.gateway()
    assert.deepEqual(await gateway.map(4141, '127.0.0.1', { protocol: 'TCP' }), {
      externalHost: '45.10.1.1',
      externalPort: 50_000,
      internalHost: '127.0.0.1',
      internalPort: 4141,
      protocol: 'TCP',
    })
    await gateway.stop()
    await router.askedFor(2)
    assert.deepEqual(router.mappings, [
      [4141, 4141, 1_200],
      [4141, 0, 0],
    ])
  })

  it('is asked again when it does not hear, and what is no reply is passed over', async (t) => {
    const router = await Router.open(t)
    const gateway = await router.gateway()
    router.deaf = 2
    router.babbles = true
    assert.equal(await gateway.externalIp(), '45.10.1.1')
  })

  it('says why there is no port', async (t) => {
    const router = await Router.open(t)
    const gateway = await router.gateway()
    await assert.rejects(gateway.map(4141, '192.168.9.9'), /gives ports to 127\.0\.0\.1 alone/)
    router.refuses = true
    await assert.rejects(gateway.map(4141, '127.0.0.1'), /no port left/)
  })

  it('is none where nobody answers', async (t) => {
    const router = await Router.open(t)
    router.deaf = Number.POSITIVE_INFINITY
    assert.equal(await NatPmpGateway.open('127.0.0.1', router.port), undefined)
  })
})

/** Of one's own making, on loopback. */
class Router {
  readonly #socket: Socket
  readonly #t: TestContext
  /** Asked for: inside, outside, seconds. */
  readonly mappings: number[][] = []
  /** Requests that it does not hear. */
  deaf = 0
  babbles = false
  refuses = false

  private constructor(t: TestContext, socket: Socket) {
    this.#t = t
    this.#socket = socket
    socket.on('message', (bytes, from) => this.#hear(bytes, from))
  }

  static async open(t: TestContext): Promise<Router> {
    const socket = createSocket('udp4')
    await once(socket.bind(0, '127.0.0.1'), 'listening')
    t.after(() => socket.close())
    return new Router(t, socket)
  }

  get port(): number {
    return this.#socket.address().port
  }

  async gateway(): Promise<NatPmpGateway> {
    const gateway = await NatPmpGateway.open('127.0.0.1', this.port)
    assert.ok(gateway !== undefined)
    this.#t.after(() => gateway.stop().catch(() => undefined))
    return gateway
  }

  /** Until so many ports were asked for, or given back. */
  async askedFor(count: number): Promise<void> {
    while (this.mappings.length < count) await once(this.#socket, 'message')
  }

  #hear(bytes: Buffer, from: RemoteInfo): void {
    if (this.deaf-- > 0) return
    this.deaf = 0
    if (this.babbles)
      for (const noise of ['', '00', 'ffffffff', '0082'])
        this.#socket.send(hex(noise), from.port, from.address)
    this.#socket.send(this.#reply(bytes), from.port, from.address)
  }

  #reply(bytes: Buffer): Buffer {
    if (bytes.equals(addressRequest())) return hex('00 80 0000 00000001 2d0a0101')
    if (this.refuses) return hex('00 82 0004 00000001')
    const [internal, external, seconds] = [
      bytes.readUInt16BE(4),
      bytes.readUInt16BE(6),
      bytes.readUInt32BE(8),
    ]
    this.mappings.push([internal, external, seconds])
    const reply = hex('00 82 0000 00000001 0000 c350 00000000')
    reply.writeUInt16BE(internal, 8)
    reply.writeUInt32BE(seconds, 12)
    return reply
  }
}
