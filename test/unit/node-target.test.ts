import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base32, base32upper } from 'multiformats/bases/base32'
import { base36, base36upper } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import type { ErrorCode } from '../../src/core/errors.ts'
import { parseTarget } from '../../src/node/target.ts'
import { formatMagnet } from '../../src/torrent/magnet.ts'

const V0 = 'QmP8jrVaNqoBVboL45r1ynDqmnyQxnLh4TVsx9dKetTp6u'
const CID_V0 = CID.parse(V0)
const CID_V1 = CID_V0.toV1()
const V1 = CID_V1.toString(base32)

test('a CID in every base, with and without a path, in every form of address', () => {
  const table: [string, CID, string[], string?][] = [
    [V0, CID_V0, []],
    [V1, CID_V1, []],
    [CID_V1.toString(base32upper), CID_V1, []],
    [CID_V1.toString(base36), CID_V1, []],
    [CID_V1.toString(base36upper), CID_V1, []],
    [CID_V1.toString(base58btc), CID_V1, []],
    [`${V1}/a/b%20c`, CID_V1, ['a', 'b%20c']],
    [`${V1}/`, CID_V1, []],
    [`/ipfs/${V0}`, CID_V0, []],
    [`/ipfs/${V1}/a/b%20c/`, CID_V1, ['a', 'b%20c']],
    [`ipfs://${V0}/a/b%20c`, CID_V0, ['a', 'b c']],
    [`IPFS://${V1}?x=1#part`, CID_V1, []],
    [`ipfs://${V1}/a%2520?filename=b#c`, CID_V1, ['a%20'], 'b'],
    [`http://127.0.0.1:8080/ipfs/${V0}/%C5%82/x?format=raw`, CID_V0, ['ł', 'x']],
    [`https://example.org/ipfs/${CID_V1.toString(base36)}`, CID_V1, []],
    [`https://${V1}.ipfs.example.org/a/b/?filename=..%2Fc`, CID_V1, ['a', 'b'], '.._c'],
    [`https://${CID_V1.toString(base36)}.ipfs.localhost:8080`, CID_V1, []],
    [`HTTPS://${V1.toUpperCase()}.IPFS.EXAMPLE.ORG/A`, CID_V1, ['A']],
    [formatMagnet({ content: V1, name: 'n' }), CID_V1, [], 'n'],
  ]
  for (const [text, root, path, name = path.at(-1)] of table) {
    const target = parseTarget(text)
    assert.ok(target.root.equals(root), text)
    assert.deepEqual([target.path, target.name, target.peers], [path, name, []], text)
  }
})

test('what is none says so', () => {
  const table: [string, ErrorCode, RegExp][] = [
    ['', 'BAD_CID', /not a CID/],
    ['/ipfs', 'BAD_CID', /not a CID/],
    ['/ipfs/', 'BAD_CID', /not a CID/],
    [`/${V1}`, 'BAD_LINK', /names no content/],
    [`/ipns/${V1}`, 'UNSUPPORTED', /IPNS/],
    [`ipns://${V1}/a`, 'UNSUPPORTED', /IPNS/],
    [`https://example.org/ipns/docs.example.org`, 'UNSUPPORTED', /IPNS/],
    [`https://docs-example-org.ipns.example.org/`, 'UNSUPPORTED', /IPNS/],
    ['ipfs://', 'BAD_CID', /not a CID/],
    [`ipfs:${V1}`, 'BAD_LINK', /names no content/],
    ['https://example.org/file.zip', 'BAD_LINK', /names no content/],
    ['https://', 'BAD_LINK', /no URL/],
    [`https://example.org/ipfs/${V1}/%FF`, 'BAD_LINK', /encoded/],
    [`ipfs://${V0.toLowerCase()}`, 'BAD_CID', /not a CID/],
    [`ipfs://${V1}/a/%2E%2E/b`, 'BAD_PATH', /`\.\.`/],
    [`${V1}/../a`, 'BAD_PATH', /`\.\.`/],
    [`${V1}/${'a'.repeat(70_000)}`, 'BAD_LINK', /too long/],
  ]
  for (const [text, code, message] of table) {
    assert.throws(() => parseTarget(text), { code, message }, text.slice(0, 80))
  }
})
