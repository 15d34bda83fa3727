/** Magnet links, written and read. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatMagnet, parseMagnet } from '../../src/torrent/magnet.ts'

const V1 = '0123456789abcdef0123456789abcdef01234567'
const V2 = 'ab'.repeat(32)
const CID = 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'
const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex')

describe('a magnet link', () => {
  it('names the content for every network, that of v1 first', () => {
    const link = formatMagnet({
      content: CID,
      v1: Buffer.from(V1, 'hex'),
      v2: Buffer.from(V2, 'hex'),
      name: 'a & b/ü',
      trackers: ['http://a.example/announce?key=1&x'],
      webSeeds: ['http://b.example/c'],
      peers: ['192.0.2.1:6881', '[2001:db8::1]:6881'],
      multiaddrs: ['/ip4/192.0.2.1/tcp/4141/p2p/12D3'],
    })
    const fields = [
      `xt=urn:btih:${V1}`,
      `xt=urn:btmh:1220${V2}`,
      `xt=urn:ipfs:${CID}`,
      'dn=a%20%26%20b%2F%C3%BC',
      'tr=http%3A%2F%2Fa.example%2Fannounce%3Fkey%3D1%26x',
      'ws=http%3A%2F%2Fb.example%2Fc',
      'x.pe=192.0.2.1:6881',
      'x.pe=[2001:db8::1]:6881',
      'x.ma=%2Fip4%2F192.0.2.1%2Ftcp%2F4141%2Fp2p%2F12D3',
    ]
    assert.equal(link, `magnet:?${fields.join('&')}`)
    const read = parseMagnet(link)
    assert.deepEqual([hex(read.v1), hex(read.v2), read.content, read.name], [V1, V2, CID, 'a & b/ü'])
    assert.deepEqual(read.peers, ['192.0.2.1:6881', '[2001:db8::1]:6881'])
    assert.deepEqual(
      [read.trackers, read.webSeeds],
      [['http://a.example/announce?key=1&x'], ['http://b.example/c']],
    )
  })

  it('may be upper case, in base32, numbered, or spaced by plus signs', () => {
    const read = parseMagnet(
      `magnet:?xt.1=urn:btih:${V1.toUpperCase()}&xt.2=urn:ed2k:31D6CFE0D16AE931&dn=a+b&tr.1=udp://a.example:1`,
    )
    assert.deepEqual(
      [hex(read.v1), read.v2, read.name, read.trackers],
      [V1, undefined, 'a b', ['udp://a.example:1']],
    )
    const base32 = parseMagnet('magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH')
    assert.equal(hex(base32.v1), V1)
  })

  it('loses addresses that cannot be used, and nothing else', () => {
    const read = parseMagnet(
      `magnet:?xt=urn:ipfs:${CID}&x.pe=nowhere&x.pe=a.example:0&x.pe=a.example:70000&x.pe=a/b:1&x.pe=a.example:1` +
        '&tr=ftp://a.example&tr=udp://a.example&tr=http://u:p@a.example/&tr=udp://a.example:9&ws=file:///etc/passwd',
    )
    assert.deepEqual([read.peers, read.trackers, read.webSeeds], [['a.example:1'], ['udp://a.example:9'], []])
    assert.equal(read.content, CID)
  })

  it('is refused where it is none, or an info hash is no hash', () => {
    for (const text of [
      'magnet:',
      'http://a.example/?xt=urn:btih:x',
      'magnet:?xt=urn:btih:',
      `magnet:?xt=urn:btih:${V1}0`,
      'magnet:?xt=urn:btih:AERUKZ4JVPG66AJDIVTYTK6N54ASGRL1',
      `magnet:?xt=urn:btmh:1220${V2}00`,
      `magnet:?xt=urn:btmh:1114${V1}`,
      `magnet:?dn=${'x'.repeat(70_000)}`,
    ])
      assert.throws(() => parseMagnet(text), { name: 'ShareError', code: 'BAD_LINK' }, text.slice(0, 60))
  })
})
