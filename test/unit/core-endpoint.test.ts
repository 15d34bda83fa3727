/** Addresses of peers and their compact form. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { endpoint, endpointText, packEndpoints, unpackEndpoints } from '../../src/core/endpoint.ts'
import { bytes, toHex } from './peer-wire-bytes.ts'

describe('an address', () => {
  const TABLE: readonly [string, number, string | undefined][] = [
    ['192.0.2.1', 6881, '192.0.2.1:6881'],
    ['2001:DB8:0:0::1', 1, '[2001:db8::1]:1'],
    ['::1', 65_535, '[::1]:65535'],
    ['::ffff:192.0.2.1', 80, '192.0.2.1:80'],
    ['192.0.2.1', 0, undefined],
    ['192.0.2.1', 65_536, undefined],
    ['192.0.2.1', 1.5, undefined],
    ['fe80::1%eth0', 80, undefined],
    ['::', 80, undefined],
    ['ff02::1', 80, undefined],
    ['example.org', 80, undefined],
    ['', 80, undefined],
  ]
  for (const [host, port, text] of TABLE)
    it(`${host} ${port} is ${text ?? 'none'}`, () => {
      const made = endpoint(host, port)
      assert.equal(made && endpointText(made), text)
    })
})

describe('compact addresses', () => {
  it('are big-endian, one family in a string', () => {
    const both = [
      { host: '192.0.2.1', port: 6881 },
      { host: '2001:db8::2', port: 80 },
    ]
    assert.equal(toHex(packEndpoints(both, 4)), 'c00002011ae1')
    assert.equal(toHex(packEndpoints(both, 6)), '20010db8000000000000000000000002' + '0050')
    assert.deepEqual(unpackEndpoints(bytes('c00002011ae1'), 4, 9), [both[0]])
    assert.deepEqual(unpackEndpoints(bytes('20010db8000000000000000000000002 0050'), 6, 9), [both[1]])
  })

  it('that lead nowhere are left out: no port, nobody, multicast, a part of one', () => {
    assert.deepEqual(
      unpackEndpoints(
        bytes('c0000201 0000 00000000 1ae1 e0000001 1ae1 ffffffff 1ae1 7f000001 0050 c00002'),
        4,
        9,
      ),
      [{ host: '127.0.0.1', port: 80 }],
    )
    assert.deepEqual(unpackEndpoints(bytes('00000000000000000000ffffc0000201 0050'), 6, 9), [
      { host: '192.0.2.1', port: 80 },
    ])
  })

  it('are no more than are wanted', () => {
    assert.equal(unpackEndpoints(new Uint8Array(6000).fill(1), 4, 7).length, 7)
  })
})
