/** The cases of the public conformance suite, group by group, and what it does not ask. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { unpackTar } from 'modern-tar'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { readCar } from '../../src/content/car-reader.ts'
import { blockKey, RAW, SHA2_256 } from '../../src/core/cid.ts'
import { Blocks, identity } from './content-dags.ts'
import { type Answered, Site } from './gateway-site.ts'

let site: Site

before(async () => {
  site = await Site.open()
})
after(() => site.close())

const FOR_EVER = 'public, max-age=29030400, immutable'
const RAW_TYPE = 'application/vnd.ipld.raw'
const CAR_TYPE = 'application/vnd.ipld.car'

/** What `want` names of the headers is as it says. */
function assertHeaders({ headers }: Answered, want: Record<string, string | RegExp | undefined>): void {
  for (const [name, value] of Object.entries(want)) {
    if (value instanceof RegExp) assert.match(String(headers[name]), value, name)
    else assert.equal(headers[name], value, name)
  }
}

async function blocksOf(answer: Answered): Promise<string[]> {
  assert.equal(answer.status, 200, answer.body.toString())
  async function* once(): AsyncGenerator<Uint8Array> {
    yield answer.body
  }
  const { blocks } = await readCar(once())
  return Array.fromAsync(blocks, ({ cid }) => cid.toString())
}

describe('trustless_gateway_raw, path_gateway_raw', () => {
  const ROOT = 'bafybeie72edlprgtlwwctzljf6gkn2wnlrddqjbkxo3jomh4n7omwblxly'
  const DIR = 'bafybeifaqksygmsbnqe76kwvxoqxtkzcwssq5jkhuo65ldtqiunr3bxlra'
  const FILE = 'bafkreihhpc5y2pqvl5rbe5uuyhqjouybfs3rvlmisccgzue2kkt5zq6upq'
  const TEXT = 'hello application/vnd.ipld.raw\n'

  test('a block, by query and by Accept, of a CID and at a path', async () => {
    const block = Buffer.from(site.blocks.get(blockKey(CID.parse(DIR))) ?? [])
    for (const path of [`/ipfs/${DIR}`, `/ipfs/${ROOT}/dir`, `/ipfs/${ROOT}/dir/`]) {
      for (const answer of [
        await site.ask(`${path}?format=raw`),
        await site.ask(`${path}?format=raw`, { accept: CAR_TYPE }),
        await site.ask(path, { accept: RAW_TYPE }),
      ]) {
        assert.deepEqual([answer.status, answer.body], [200, block])
        assertHeaders(answer, { 'content-type': RAW_TYPE })
      }
    }
  })

  test('says what it is, for caches and for whoever saves it', async () => {
    const answer = await site.ask(`/ipfs/${ROOT}/dir/ascii.txt`, { accept: RAW_TYPE })
    assert.deepEqual([answer.status, answer.body.toString()], [200, TEXT])
    assertHeaders(answer, {
      'content-type': RAW_TYPE,
      'content-length': '31',
      'content-disposition': /^attachment; filename="/,
      'x-content-type-options': 'nosniff',
      'x-ipfs-path': `/ipfs/${ROOT}/dir/ascii.txt`,
      'x-ipfs-roots': `${ROOT},${DIR},${FILE}`,
      'cache-control': FOR_EVER,
      etag: `"${FILE}.raw"`,
    })
    const named = await site.ask(`/ipfs/${FILE}?filename=foobar.bin`, { accept: RAW_TYPE })
    assertHeaders(named, { 'content-disposition': /^attachment; filename="foobar\.bin"/ })
    assert.equal(
      (await site.ask(`/ipfs/${FILE}?format=raw`, { 'if-none-match': answer.headers.etag })).status,
      304,
    )
  })

  test('in parts', async () => {
    const answer = await site.ask(`/ipfs/${FILE}`, { accept: RAW_TYPE, range: 'bytes=6-16' })
    assert.deepEqual([answer.status, answer.body.toString()], [206, TEXT.slice(6, 17)])
    assertHeaders(answer, { 'content-range': 'bytes 6-16/31', 'content-type': RAW_TYPE })
    const several = await site.ask(`/ipfs/${FILE}`, { accept: RAW_TYPE, range: 'bytes=7-9,1-3' })
    assert.deepEqual([several.status, several.body.toString()], [206, TEXT.slice(7, 10)])
    assertHeaders(several, { 'content-range': 'bytes 7-9/31' })
  })
})

describe('trustless_gateway_car', () => {
  const ASCII = 'bafkreifkam6ns4aoolg3wedr4uzrs3kvq66p4pecirz6y2vlrngla62mxm'
  const HELLO = 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4'
  const MULTI = 'bafybeigcisqd7m5nf3qmuvjdbakl5bdnh4ocrmacaqkpuh77qjvggmt2sa'
  /** Of 256 bytes each, the last of 2. */
  const LEAVES = [
    'bafkreie5noke3mb7hqxukzcy73nl23k6lxszxi5w3dtmuwz62wnvkpsscm',
    'bafkreih4ephajybraj6wnxsbwjwa77fukurtpl7oj7t7pfq545duhot7cq',
    'bafkreigu7buvm3cfunb35766dn7tmqyh2um62zcio63en2btvxuybgcpue',
    'bafkreicll3huefkc3qnrzeony7zcfo7cr3nbx64hnxrqzsixpceg332fhe',
    'bafkreifst3pqztuvj57lycamoi7z34b4emf7gawxs74nwrc2c7jncmpaqm',
  ]
  const TWO = 'bafybeietjm63oynimmv5yyqay33nui4y4wx6u3peezwetxgiwvfmelutzu'
  const TWO_SUB = 'bafybeiggghzz6dlue3m6nb2dttnbrygxh3lrjl5764f2m4gq7dgzdt55o4'
  const MIXED = 'bafybeidh6k2vzukelqtrjsmd4p52cpmltd2ufqrdtdg6yigi73in672fwu'
  const MIXED_SUB = 'bafybeicnmple4ehlz3ostv2sbojz3zhh5q7tz5r2qkfdpqfilgggeen7xm'
  const HAMT = 'bafybeidbclfqleg2uojchspzd4bob56dqetqjsj27gy2cq3klkkgxtpn4i'
  const CBOR_DIR = 'bafybeia264q44a3kmfc2otctzu4egp2k235o3t7mslz2yjraymp4nv6asi'
  const CBOR = 'bafyreidy4q6mmetut5jzc54ambsfnatbyoujmwbfzyyolqw24majazwgha'
  const DUPLICATES = 'bafybeihchr7vmgjaasntayyatmp5sv6xza57iy2h4xj7g46bpjij6yhrmy'
  const HOLED = 'QmYhmPjhFjYFyaoiuNzYv8WGavpSRDwdHWe5B4M5du5Rtk'
  const HOLED_FIRST = 'QmPKt7ptM2ZYSGPUc8PmPT2VBkLDK3iqpG9TBJY7PCE9rF'
  const HOLED_LAST = 'QmWXY482zQdwecnfBsj78poUUuPXvyw2JAFAEMw4tzTavV'

  test('has the blocks on the way, and then those that the scope says', async () => {
    const file = `${MIXED}/subdir/multiblock.txt`
    const way = [MIXED, MIXED_SUB, MULTI]
    const table: [string, string, string[]][] = [
      [`${TWO}/subdir/ascii.txt`, '', [TWO, TWO_SUB, ASCII]],
      [`${CBOR}/files/single`, '', [CBOR, HELLO]],
      [`${CBOR_DIR}/document/files/single`, '', [CBOR_DIR, CBOR, HELLO]],
      [`${TWO}/subdir`, '&dag-scope=block', [TWO, TWO_SUB]],
      [`${TWO}/subdir/ascii.txt`, '&dag-scope=block', [TWO, TWO_SUB, ASCII]],
      [file, '&dag-scope=block', way],
      [MIXED, '&dag-scope=entity', [MIXED]],
      [`${MIXED}/subdir/ascii.txt`, '&dag-scope=entity', [MIXED, MIXED_SUB, ASCII]],
      [file, '&dag-scope=entity', [...way, ...LEAVES]],
      [`${CBOR_DIR}/document`, '&dag-scope=entity', [CBOR_DIR, CBOR]],
      [`${MIXED}/subdir`, '&dag-scope=all', [MIXED, MIXED_SUB, ASCII, HELLO, MULTI, ...LEAVES]],
      [file, '&dag-scope=all', [...way, ...LEAVES]],
      [`${CBOR_DIR}/document`, '', [CBOR_DIR, CBOR, MULTI, ...LEAVES, HELLO]],
    ]
    for (const [path, params, cids] of table) {
      const byQuery = await site.ask(`/ipfs/${path}?format=car${params}`)
      assert.deepEqual((await blocksOf(byQuery)).toSorted(), cids.toSorted(), path + params)
      if (!path.startsWith(CBOR_DIR)) assert.deepEqual(await blocksOf(byQuery), cids, path + params)
      const byAccept = await site.ask(`/ipfs/${path}?${params}`, { accept: CAR_TYPE })
      assert.deepEqual(byAccept.body, byQuery.body)
      for (const answer of [byQuery, byAccept]) {
        assertHeaders(answer, {
          'content-type': `${CAR_TYPE}; version=1; order=dfs; dups=n`,
          'content-disposition': /^attachment; filename=".*\.car"/,
          'x-content-type-options': 'nosniff',
          'accept-ranges': 'none',
          'content-length': undefined,
          etag: /^W\/"/,
        })
      }
    }
  })

  test('goes through sharded directories by the shards that it needs, and lists one by all of them', async () => {
    const path = await blocksOf(await site.ask(`/ipfs/${HAMT}/685.txt?format=car`))
    assert.deepEqual([path[0], path.slice(-6)], [HAMT, [MULTI, ...LEAVES]])
    assert.equal(path.length, 8)
    const block = await blocksOf(await site.ask(`/ipfs/${HAMT}/1.txt?format=car&dag-scope=block`))
    assert.deepEqual([block[0], block.at(-1), block.length], [HAMT, MULTI, 3])
    const entity = await blocksOf(
      await site.ask(`/ipfs/${HAMT}?format=car&dag-scope=entity&entity-bytes=0:*`),
    )
    assert.deepEqual([entity[0], entity.length], [HAMT, 237])
    assert.ok(!entity.includes(MULTI))
  })

  test('has the blocks of a range of bytes and no others', async () => {
    const table: [string, string[]][] = [
      ['0:*', LEAVES],
      ['0:0', LEAVES.slice(0, 1)],
      ['512:*', LEAVES.slice(2)],
      ['512:1023', LEAVES.slice(2, 4)],
      ['512:-256', LEAVES.slice(2, 4)],
      ['-5:*', LEAVES.slice(3)],
      ['-9999:*', LEAVES],
      ['-9999:-3', LEAVES.slice(0, 4)],
      ['-2:-1', LEAVES.slice(4)],
      ['255:256', LEAVES.slice(0, 2)],
      ['5000:*', []],
    ]
    for (const [bytes, leaves] of table) {
      const answer = await site.ask(`/ipfs/${MULTI}?format=car&dag-scope=entity&entity-bytes=${bytes}`)
      assert.deepEqual(await blocksOf(answer), [MULTI, ...leaves], bytes)
    }
    // what lies outside of the range need not be there
    const holed = (bytes: string) => site.ask(`/ipfs/${HOLED}?format=car&entity-bytes=${bytes}`)
    assert.deepEqual(await blocksOf(await holed('0:1000')), [HOLED, HOLED_FIRST])
    assert.deepEqual(await blocksOf(await holed('2200:*')), [HOLED, HOLED_LAST])
  })

  test('repeats blocks or does not, as it is asked to', async () => {
    const once = [DUPLICATES, ASCII, HELLO, MULTI, ...LEAVES]
    const twice = [DUPLICATES, ASCII, ASCII, HELLO, MULTI, ...LEAVES]
    const table: [string, string, string[], string][] = [
      ['', 'version=1; order=dfs; dups=y', twice, 'order=dfs; dups=y'],
      ['', 'version=1; order=dfs; dups=n', once, 'order=dfs; dups=n'],
      ['', 'version=1; order=unk', once, 'order=dfs; dups=n'],
      ['?format=car', 'order=dfs; dups=y', twice, 'order=dfs; dups=y'],
      ['?format=car&car-order=dfs', 'order=unk', once, 'order=dfs; dups=n'],
      ['?format=car&car-dups=y', 'dups=n', twice, 'order=dfs; dups=y'],
    ]
    for (const [query, params, cids, type] of table) {
      const answer = await site.ask(`/ipfs/${DUPLICATES}${query}`, { accept: `${CAR_TYPE}; ${params}` })
      assert.deepEqual(await blocksOf(answer), cids, `${query} ${params}`)
      assertHeaders(answer, { 'content-type': `${CAR_TYPE}; version=1; ${type}` })
    }
    const inName = 'bafkqaf3imvwgy3zaneqgc3janfxgy2lomvscay3jmqfa'
    assert.deepEqual(await blocksOf(await site.ask(`/ipfs/${inName}`, { accept: `${CAR_TYPE}; dups=y` })), [])
  })

  test('is refused or not found as a whole, or breaks off', async () => {
    const table: [string, number][] = [
      [`/ipfs/${TWO}/subdir/missing?format=car`, 404],
      [`/ipfs/${TWO}?format=car&dag-scope=most`, 400],
      [`/ipfs/${TWO}?format=car&entity-bytes=5`, 400],
      [`/ipfs/${TWO}?format=car&entity-bytes=9:5`, 400],
      [`/ipfs/${TWO}?format=car&entity-bytes=*:5`, 400],
      [`/ipfs/${TWO}?format=car&car-version=2`, 400],
      [`/ipfs/${TWO}?format=car&car-order=bfs`, 400],
      [`/ipfs/${TWO}?format=car&car-dups=maybe`, 400],
      [`/ipfs/${CBOR}/files?format=car`, 501],
      [`/ipfs/${HOLED_FIRST.replace(/^QmPK/, 'QmPJ')}?format=car`, 504],
    ]
    for (const [path, status] of table) assert.equal((await site.ask(path)).status, status, path)
    const broken = await site.ask(`/ipfs/${HOLED}?format=car`)
    assert.deepEqual([broken.status, broken.whole], [200, false])
  })
})

describe('path_gateway_unixfs', () => {
  const ROOT = 'bafybeig6ka5mlwkl4subqhaiatalkcleo4jgnr3hqwvpmsqfca27cijp3i'
  const FILE = 'bafkreialihlqnf5uwo4byh4n3cmwlntwqzxxs2fg5vanqdi3d7tb2l5xkm'
  const CACHE = [
    'bafybeib3ffl2teiqdncv3mkz4r23b5ctrwkzrrhctdbne6iboayxuxk5ui',
    'bafybeih2w7hjocxjg6g2ku25hvmd53zj7og4txpby3vsusfefw5rrg5sii',
    'bafybeiawdvhmjcz65x5egzx4iukxc72hg4woks6v6fvgyupiyt3oczk5ja',
    'bafybeifq2rzpqnqrsdupncmkmhs3ckxxjhuvdcbvydkgvch3ms24k5lo7q',
    'bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am',
  ]
  const [TOP, , ROOT3, ROOT4, INDEX] = CACHE
  const FILES = 'bafybeihchr7vmgjaasntayyatmp5sv6xza57iy2h4xj7g46bpjij6yhrmy'
  const HOLED = 'QmYhmPjhFjYFyaoiuNzYv8WGavpSRDwdHWe5B4M5du5Rtk'
  const TEXT = 'hello application/vnd.ipld.car\n'

  test('lists directories', async () => {
    const top = (await site.ask(`/ipfs/${ROOT}/`)).body.toString()
    assert.match(top, /Index of/)
    assert.ok(!top.includes('>..<'))
    const answer = await site.ask(`/ipfs/${ROOT}/ą/ę/`)
    const page = answer.body.toString()
    const at = `/ipfs/${ROOT}/%C4%85`
    for (const part of [
      `/ipfs/<a href="/ipfs/${ROOT}">${ROOT}</a>/<a href="${at}">ą</a>/<a href="${at}/%C4%99">ę</a>`,
      `<a href="${at}/%C4%99/..">..</a>`,
      `<a href="${at}/%C4%99/file-%C5%BA%C5%82.txt">file-źł.txt</a>`,
      `<a class="ipfs-hash" translate="no" href="/ipfs/${FILE}?filename=file-%25C5%25BA%25C5%2582.txt">`,
    ])
      assert.ok(page.includes(part), part)
    assertHeaders(answer, { 'content-type': 'text/html; charset=utf-8', etag: /^"DirIndex-/ })
  })

  test('a page of names that strangers chose is only text', async () => {
    const blocks = new Blocks()
    const root = blocks.directory({ '<script>"x"\'&': blocks.raw('x'), 'a?b#c': blocks.raw('y') })
    for (const cid of blocks.cids) site.put(cid, blocks.block(cid))
    const page = (await site.ask(`/ipfs/${root}/`)).body.toString()
    assert.ok(!page.includes('<script'))
    assert.match(page, /&lt;script&gt;&quot;x&quot;&#39;&amp;/)
    assert.match(page, /a%3Fb%23c/)
  })

  test('leads to directories with a slash, and finds what is there or not', async () => {
    const moved = await site.ask(`/ipfs/${ROOT}/ą/ę?x=1`)
    assert.equal(moved.status, 301)
    assertHeaders(moved, { location: `/ipfs/${ROOT}/%C4%85/%C4%99/?x=1` })
    assert.equal((await site.ask(`/ipfs/${ROOT}`)).headers.location, `/ipfs/${ROOT}/`)
    assert.equal((await site.ask(`/ipfs/${ROOT}/i-do-not-exist`)).status, 404)
    const percent = 'bafybeig675grnxcmshiuzdaz2xalm6ef4thxxds6o6ypakpghm5kghpc34'
    const name = 'Portugal%252C+España=Peninsula%20Ibérica.txt'
    const text = 'hello from a percent encoded filename\n'
    assert.equal((await site.ask(`/ipfs/${percent}/${name}`)).body.toString(), text)
  })

  test('shows index.html in place of a list, under the tag of the directory', async () => {
    const answer = await site.ask(`/ipfs/${TOP}/root2/root3/root4/`)
    assert.deepEqual([answer.status, answer.body.toString()], [200, 'hello\n'])
    assertHeaders(answer, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': FOR_EVER,
      'x-ipfs-path': `/ipfs/${TOP}/root2/root3/root4/`,
      'x-ipfs-roots': CACHE.slice(0, 4).join(','),
      etag: `"${ROOT4}"`,
      'content-security-policy': /^sandbox allow-scripts (?!.*same-origin)/,
    })
  })

  test('says how long an answer holds, and what it stands for', async () => {
    assertHeaders(await site.ask(`/ipfs/${TOP}/root2/root3/root4/index.html`), {
      'cache-control': FOR_EVER,
      'x-ipfs-path': `/ipfs/${TOP}/root2/root3/root4/index.html`,
      'x-ipfs-roots': CACHE.join(','),
      etag: `"${INDEX}"`,
    })
    assertHeaders(await site.ask(`/ipfs/${TOP}/root2/root3/`), {
      'cache-control': 'public, max-age=604800, stale-while-revalidate=2678400',
      'x-ipfs-roots': CACHE.slice(0, 3).join(','),
      etag: new RegExp(`^"DirIndex-.*_CID-${ROOT3}"$`),
    })
  })

  test('does not send what the asker has', async () => {
    const file = `/ipfs/${TOP}/root2/root3/root4/index.html`
    const listed = `/ipfs/${TOP}/root2/root3/`
    const { etag: tag = '' } = (await site.ask(listed)).headers
    const table: [string, string, number][] = [
      [file, `"${INDEX}"`, 304],
      [file, `"fakeEtag1", "fakeEtag2", "${INDEX}"`, 304],
      [file, `W/"${INDEX}"`, 304],
      [file, '*', 304],
      [file, '"other"', 200],
      [`/ipfs/${TOP}/root2/root3/root4/`, `"${ROOT4}"`, 304],
      [listed, tag, 304],
      [listed, `W/${tag}`, 304],
    ]
    for (const [path, etag, status] of table) {
      const answer = await site.ask(path, { 'if-none-match': etag })
      assert.equal(answer.status, status, `${path} ${etag}`)
      if (status === 304) assert.equal(answer.body.length, 0)
    }
  })

  test('asks nobody where only what is here will do', async () => {
    const headers = { 'cache-control': 'only-if-cached' }
    const here = `/ipfs/${TOP}/root2/root3/root4/?format=raw`
    const absent = '/ipfs/QmYzfKSE55XCjD1MW128RfciAf2DViABhEiXfgVFMabSjN'
    for (const method of ['HEAD', 'GET']) {
      assert.equal((await site.ask(here, headers, method)).status, 200)
      assert.equal((await site.ask(absent, headers, method)).status, 412)
      assert.equal(site.opened.at(-1)?.local, true)
      assert.equal((await site.ask(absent, {}, method)).status, 504)
      assert.equal(site.opened.at(-1)?.local, false)
    }
  })

  test('HEAD says the same without the bytes', async () => {
    for (const path of [`/ipfs/${FILES}/ascii.txt`, `/ipfs/${FILES}/`, `/ipfs/${FILES}?format=car`]) {
      const [get, head] = [await site.ask(path), await site.ask(path, {}, 'HEAD')]
      const { date: _, 'transfer-encoding': __, ...want } = get.headers
      const { date: ___, ...headers } = head.headers
      assert.deepEqual([head.status, head.body.length, headers], [get.status, 0, want])
    }
    assert.equal((await site.ask(`/ipfs/${FILES}/ascii.txt`, {}, 'POST')).status, 404)
  })

  test('a symlink is its target, and stands in the list', async () => {
    const root = 'QmWvY6FaqFMS89YAQ9NAPjVP4WZKA1qbHbicc9HeSKQTgt'
    const answer = await site.ask(`/ipfs/${root}/bar`)
    assert.deepEqual([answer.status, answer.body.toString()], [200, 'foo'])
    const page = (await site.ask(`/ipfs/${root}/`)).body.toString()
    assert.ok(page.includes('>foo<') && page.includes('>bar<'))
    assert.equal((await site.ask(`/ipfs/${root}?format=raw`)).body.length, 94)
  })

  test('files in parts', async () => {
    const table: [string, number, string | undefined, string][] = [
      ['bytes=6-16', 206, 'bytes 6-16/31', TEXT.slice(6, 17)],
      ['bytes=-3', 206, 'bytes 28-30/31', TEXT.slice(28)],
      ['bytes=-99', 206, 'bytes 0-30/31', TEXT],
      ['bytes=28-', 206, 'bytes 28-30/31', TEXT.slice(28)],
      ['bytes=28-99', 206, 'bytes 28-30/31', TEXT.slice(28)],
      ['bytes=6-16,0-4', 206, 'bytes 6-16/31', TEXT.slice(6, 17)],
      ['bytes=31-', 416, 'bytes */31', ''],
      ['bytes=-0', 416, 'bytes */31', ''],
      ['bytes=9-3', 200, undefined, TEXT],
      ['lines=1-2', 200, undefined, TEXT],
      ['bytes=x', 200, undefined, TEXT],
    ]
    for (const [range, status, part, text] of table) {
      const answer = await site.ask(`/ipfs/${FILES}/ascii.txt`, { range })
      assert.deepEqual([answer.status, answer.body.toString()], [status, text], range)
      assertHeaders(answer, { 'content-range': part, ...(status !== 416 && { 'accept-ranges': 'bytes' }) })
    }
    const { etag = '' } = (await site.ask(`/ipfs/${FILES}/ascii.txt`)).headers
    for (const [tag, status] of [
      [etag, 206] as const,
      ['"other"', 200] as const,
      [`W/${etag}`, 200] as const,
    ]) {
      const headers = { range: 'bytes=0-1', 'if-range': tag }
      assert.equal((await site.ask(`/ipfs/${FILES}/ascii.txt`, headers)).status, status)
    }
  })

  test('a part is there whatever else is not', async () => {
    for (const [range, part] of [
      ['bytes=997-1000', 'bytes 997-1000/3072'],
      ['bytes=2200-2201', 'bytes 2200-2201/3072'],
    ] as const) {
      const answer = await site.ask(`/ipfs/${HOLED}`, { range })
      assert.equal(answer.status, 206)
      assertHeaders(answer, { 'content-range': part })
    }
    const whole = await site.ask(`/ipfs/${HOLED}`)
    assert.deepEqual([whole.status, whole.whole], [200, false])
    assert.equal((await site.ask(`/ipfs/${HOLED}`, { range: 'bytes=1500-1600' })).status, 504)
  })

  test('names and types: of the query, the path, the bytes', async () => {
    const blocks = new Blocks()
    const contents = {
      png: Buffer.from('89504e470d0a1a0a0000', 'hex'),
      text: Buffer.from('ąę\n'),
      html: '<!DOCTYPE html><p>x',
      mp4: Buffer.from('0000001c667479706d703432', 'hex'),
      other: Buffer.from([0, 1, 2, 3]),
      empty: '',
    }
    const types = {
      png: 'image/png',
      text: 'text/plain; charset=utf-8',
      html: 'text/html; charset=utf-8',
      mp4: 'video/mp4',
      other: 'application/octet-stream',
      empty: 'text/plain; charset=utf-8',
    }
    for (const [name, type] of Object.entries(types)) {
      const cid = blocks.raw(contents[name as keyof typeof contents])
      site.put(cid, blocks.block(cid))
      assertHeaders(await site.ask(`/ipfs/${cid}`), {
        'content-type': type,
        'content-disposition': undefined,
      })
    }
    const cid = blocks.raw(contents.text)
    assertHeaders(await site.ask(`/ipfs/${cid}?filename=a.svg`), {
      'content-type': 'image/svg+xml',
      'content-disposition': /^inline; filename="a\.svg"/,
      'content-security-policy': /^sandbox/,
    })
    assertHeaders(await site.ask(`/ipfs/${cid}?filename=a.css`), {
      'content-type': 'text/css; charset=utf-8',
    })
    assertHeaders(await site.ask(`/ipfs/${cid}?filename=%C5%82"a.txt&download=true`), {
      'content-disposition': `attachment; filename="__a.txt"; filename*=UTF-8''%C5%82%22a.txt`,
    })
    assertHeaders(await site.ask(`/ipfs/${cid}?download=true`), {
      'content-disposition': `attachment; filename="${cid}"; filename*=UTF-8''${cid}`,
    })
  })

  test('content in the name itself', async () => {
    const cid = identity(RAW, 'hello')
    assert.equal((await site.ask(`/ipfs/${cid}`)).body.toString(), 'hello')
  })
})

describe('path_gateway_tar', () => {
  const ROOT = 'bafybeig6ka5mlwkl4subqhaiatalkcleo4jgnr3hqwvpmsqfca27cijp3i'
  const FILE = 'bafkreialihlqnf5uwo4byh4n3cmwlntwqzxxs2fg5vanqdi3d7tb2l5xkm'
  const INSIDE = 'bafybeibfevfxlvxp5vxobr5oapczpf7resxnleb7tkqmdorc4gl5cdva3y'
  const OUTSIDE = 'bafybeicaj7kvxpcv4neaqzwhrqqmdstu4dhrwfpknrgebq6nzcecfucvyu'
  const TEXT = 'I am a txt file on path with utf8\n'

  async function unpacked(answer: Answered): Promise<Record<string, string>> {
    assert.equal(answer.status, 200, answer.body.toString())
    const entries = await unpackTar(answer.body)
    return Object.fromEntries(
      entries.map(({ header, data }) => [
        header.name,
        header.linkname ? `-> ${header.linkname}` : data === undefined ? '' : Buffer.from(data).toString(),
      ]),
    )
  }

  test('a file, by query and by Accept', async () => {
    for (const answer of [
      await site.ask(`/ipfs/${FILE}?format=tar`),
      await site.ask(`/ipfs/${FILE}`, { accept: 'application/x-tar' }),
    ]) {
      assert.deepEqual(await unpacked(answer), { [FILE]: TEXT })
      assertHeaders(answer, {
        'content-type': 'application/x-tar',
        'content-disposition': /^attachment;/,
        etag: `W/"${FILE}.x-tar"`,
      })
    }
  })

  test('a tree, under the name of its CID', async () => {
    const answer = await site.ask(`/ipfs/${ROOT}?format=tar&filename=test%D1%82%D0%B5%D1%81%D1%82.tar`)
    const files = await unpacked(answer)
    assert.equal(files[`${ROOT}/ą/ę/file-źł.txt`], TEXT)
    assert.deepEqual(Object.keys(files).slice(0, 2), [`${ROOT}/`, `${ROOT}/api/`])
    assertHeaders(answer, {
      'content-disposition':
        'attachment; filename="test____.tar"; filename*=UTF-8\'\'test%D1%82%D0%B5%D1%81%D1%82.tar',
    })
    const links = 'QmWvY6FaqFMS89YAQ9NAPjVP4WZKA1qbHbicc9HeSKQTgt'
    assert.equal((await unpacked(await site.ask(`/ipfs/${links}?format=tar`)))[`${links}/bar`], '-> foo')
  })

  test('names that lead out are refused before the first byte', async () => {
    assert.equal((await site.ask(`/ipfs/${OUTSIDE}?format=tar`)).status, 502)
    const files = await unpacked(await site.ask(`/ipfs/${INSIDE}?format=tar`))
    assert.equal(files[`${INSIDE}/foobar/file`], 'Hello, world!\n')
  })

  test('files of many blocks come whole', async () => {
    const blocks = new Blocks()
    const leaves = Array.from({ length: 40 }, (_, at) => blocks.raw(Buffer.alloc(300_000, at + 1)))
    const file = blocks.file({ links: leaves.map((cid) => ({ cid, size: 300_000, tsize: 300_000 })) })
    const root = blocks.directory({ long: file, ['n'.repeat(200)]: blocks.raw('x') })
    for (const cid of blocks.cids) site.put(cid, blocks.block(cid))
    const files = await unpacked(await site.ask(`/ipfs/${root}?format=tar`))
    assert.equal(files[`${root}/${'n'.repeat(200)}`], 'x')
    const long = files[`${root}/long`] ?? ''
    assert.deepEqual([long.length, long.charCodeAt(0), long.charCodeAt(11_999_999)], [12_000_000, 1, 40])
  })
})

describe('who is answered', () => {
  const FILE = '/ipfs/bafkreialihlqnf5uwo4byh4n3cmwlntwqzxxs2fg5vanqdi3d7tb2l5xkm'

  test('only this machine under its own names, and its user in a browser', async () => {
    const { port } = new URL(site.url)
    const own = `http://127.0.0.1:${port}`
    const page = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    const image = { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }
    const frame = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }
    const table: [Record<string, string>, number][] = [
      [{}, 200],
      [{ host: `localhost:${port}` }, 200],
      [{ host: `[::1]:${port}` }, 200],
      [{ host: `LOCALHOST:${port}` }, 200],
      [{ host: 'localhost' }, 403],
      [{ host: 'localhost:1' }, 403],
      [{ host: `rebound.example:${port}` }, 403],
      [{ host: `127.0.0.1.example:${port}` }, 403],
      [{ origin: own }, 200],
      [{ origin: `http://localhost:${port}` }, 200],
      [{ origin: 'https://example.org' }, 403],
      [{ origin: `https://127.0.0.1:${port}` }, 403],
      [{ origin: 'http://localhost:3000' }, 403],
      [{ origin: 'null' }, 403],
      [{ ...page, 'sec-fetch-site': 'none' }, 200],
      [{ ...page, 'sec-fetch-site': 'cross-site' }, 200],
      [{ ...frame, 'sec-fetch-site': 'cross-site' }, 403],
      [{ ...image, 'sec-fetch-site': 'same-origin' }, 200],
      [{ ...image, 'sec-fetch-site': 'cross-site' }, 403],
      [{ ...image, 'sec-fetch-site': 'same-site' }, 403],
      // pages of this gateway are origins of their own
      [{ ...image, 'sec-fetch-site': 'cross-site', referer: `${own}/ipfs/x/` }, 200],
      [{ ...image, 'sec-fetch-site': 'cross-site', referer: 'https://example.org/' }, 403],
    ]
    for (const [headers, status] of table)
      assert.equal((await site.ask(FILE, headers)).status, status, JSON.stringify(headers))
  })

  test('what is wrong with a request, or with content, has its status and its reason', async () => {
    const blocks = new Blocks()
    const sha512 = CID.createV1(RAW, Digest.create(0x13, new Uint8Array(64)))
    const linked = blocks.directory({ x: { cid: sha512, tsize: 1 } })
    const bad = CID.createV1(0x70, Digest.create(SHA2_256, new Uint8Array(32)))
    for (const cid of blocks.cids) site.put(cid, blocks.block(cid))
    site.put(bad, Buffer.from('not a node'))
    const table: [string, number, RegExp][] = [
      ['/', 404, /content is at/],
      ['/ipfs', 400, /not a CID/],
      ['/ipfs/', 400, /not a CID/],
      ['/ipfs/nonsense', 400, /not a CID: nonsense/],
      ['/ipns/example.org', 501, /IPNS/],
      [`/ipfs/${sha512}`, 501, /hash function 0x13/],
      [`/ipfs/${linked}/x`, 501, /hash function 0x13/],
      [`/ipfs/${linked}/y`, 404, /"y"/],
      [`/ipfs/${bad}/`, 502, /cannot be used/],
      [`/ipfs/${linked}?format=png`, 400, /no such format: png/],
      ['/ipfs/bafyreidy4q6mmetut5jzc54ambsfnatbyoujmwbfzyyolqw24majazwgha', 501, /format=raw/],
      [`${FILE}/below`, 404, /"below"/],
      [`/ipfs/${linked}/%FF`, 400, /./],
    ]
    for (const [path, status, message] of table) {
      const answer = await site.ask(path)
      assert.equal(answer.status, status, path)
      assert.match(answer.body.toString(), message, path)
    }
    const dagJson = { accept: 'application/vnd.ipld.dag-json' }
    assert.equal((await site.ask(FILE, dagJson)).status, 400)
    assert.ok(site.logged.some((line) => /gateway: .*cannot be used/.test(line)))
  })

  test('of several formats the one that is wanted most', async () => {
    const table: [string, string][] = [
      ['text/html, */*', 'text/plain; charset=utf-8'],
      [`${RAW_TYPE};q=0.5, ${CAR_TYPE};q=0.9`, `${CAR_TYPE}; version=1; order=dfs; dups=n`],
      [`text/html, ${RAW_TYPE};q=0`, 'text/plain; charset=utf-8'],
      [`${CAR_TYPE};version="1";dups="y"`, `${CAR_TYPE}; version=1; order=dfs; dups=y`],
    ]
    for (const [accept, type] of table)
      assertHeaders(await site.ask(FILE, { accept }), { 'content-type': type })
  })
})
