/** One content, by every address that people have of it. */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { base36 } from 'multiformats/bases/base36'
import { base58btc } from 'multiformats/bases/base58'
import { CID } from 'multiformats/cid'
import { Homes } from './homes.ts'

test('get, cat and ls take CIDs of every base, paths, ipfs:// and the URLs of gateways', async (t) => {
  const homes = await Homes.open(t)
  const [a, b] = [await homes.add('a'), await homes.add('b')]
  await b.connect(a)
  await mkdir(homes.path('tree', 'd'), { recursive: true })
  await writeFile(homes.path('tree', 'd', 'a b'), 'hello')
  const v1 = CID.parse(await a.share('add', '--profile', 'unixfs-v0-2015', homes.path('tree')))
  const addresses = [
    v1.toV0().toString(),
    v1.toString(base36),
    v1.toString(base58btc),
    `/ipfs/${v1}`,
    `ipfs://${v1.toV0()}`,
    `http://127.0.0.1:8080/ipfs/${v1.toV0()}`,
    `https://${v1.toString(base36)}.ipfs.example.org`,
  ]
  for (const [at, address] of addresses.entries()) {
    const name = address.includes('://') ? 'a%20b' : 'a b'
    assert.equal((await b.bytes('cat', `${address}/d/${name}`)).toString(), 'hello', address)
    assert.match(await b.share('ls', `${address}/d`), / a b$/, address)
    await b.share('get', `${address}/d/${name}`, '-o', homes.path(`copy-${at}`))
    assert.equal(await readFile(homes.path(`copy-${at}`), 'utf8'), 'hello', address)
  }
  await b.fails(['get', `/ipns/${v1}`], 1, 'UNSUPPORTED', /IPNS/)
  await b.fails(['ls', 'https://example.org/x'], 2, 'BAD_LINK', /names no content/)
})
