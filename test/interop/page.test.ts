/** Somebody with only a browser downloads a share: every byte compared, over connections that break, and from a node that lies. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Home, Homes, until } from '../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../e2e/trees.ts'
import { Chromium, PLAIN_HOST, type Tab } from './chromium.ts'
import { Way } from './page-way.ts'

const FILM = 64 * MIB + 12_345

/** A file picker's answer, for a browser without anybody to choose: a file of the page's own, of the same kind. */
const PICKS = `window.showSaveFilePicker = async ({ suggestedName }) =>
  (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true })`

const NO_PICKER = 'delete window.showSaveFilePicker'

/** The SHA-256 of the file that was picked, in hex. */
const PICKED = (name: string) => `navigator.storage.getDirectory()
  .then((directory) => directory.getFileHandle('${name}')).then((handle) => handle.getFile())
  .then(async (file) => new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer())).toHex())`

let homes: Homes
let home: Home
let chromium: Chromium
let way: Way
let tree: string
let film: string

// one node and one browser for all: starting them is slow
test('a page in Chromium', async (suite) => {
  homes = await Homes.open(suite)
  const port = await freePort()
  way = await Way.open(port)
  home = await homes.add('a', {
    'pages.listen': `/ip4/127.0.0.1/tcp/${port}`,
    'pages.url': `http://${PLAIN_HOST}:${way.port}`,
  })
  await mkdir(homes.path('tree', 'd'), { recursive: true })
  await writeNoise(homes.path('tree', 'film.mp4'), FILM, 1)
  await writeNoise(homes.path('tree', 'd', 'ą b#%?.bin'), 3 * MIB + 1, 2)
  await writeNoise(homes.path('tree', 'empty'), 0, 3)
  tree = await home.share('add', '-q', homes.path('tree'))
  film = await home.share('add', '-q', homes.path('tree', 'film.mp4'))
  chromium = await Chromium.start(homes.work)
  homes.atEnd(() => Promise.all([chromium.close(), way.close()]))
  suite.beforeEach(async () => {
    Object.assign(way, { wrongByte: undefined, cutAfter: undefined, closed: false })
    way.asked.length = 0
    await rm(chromium.downloads, { recursive: true, force: true })
    await mkdir(chromium.downloads)
  })

  await suite.test(
    'downloads 64 MiB over an unencrypted connection, by way of its storage, checked',
    async (t) => {
      t.diagnostic(await chromium.version())
      const tab = await open(t, await page(film))
      assert.equal(await tab.evaluate('isSecureContext'), false)
      assert.match(await tab.shows(/67\.1 MB/), /not encrypted/)
      await tab.press('Download: film.mp4')
      await tab.shows(/Saved\. Every block matches the link\./)
      await assertSame(await downloaded('film.mp4', FILM), homes.path('tree', 'film.mp4'))
      assert.equal(await partsKept(tab), 0)
      assert.deepEqual(tab.complaints, [])
    },
  )

  await suite.test('downloads single files of a directory, an empty one too', async (t) => {
    const tab = await open(t, await page(tree))
    assert.match(await tab.shows(/3 files/), /d\/ą b#%\?\.bin 3\.1 MB/)
    await tab.press('Download: ą b#%?.bin')
    await tab.shows(/Saved/)
    // the browser puts other characters for those that its system does not take
    const [name = ''] = await until('it is saved', async () => {
      const names = await readdir(chromium.downloads)
      return names.length === 1 && !names[0]?.endsWith('.crdownload') ? names : undefined
    })
    await assertSame(await downloaded(name, 3 * MIB + 1), homes.path('tree', 'd', 'ą b#%?.bin'))
    await tab.press('Download: empty')
    await assertSame(await downloaded('empty', 0), homes.path('tree', 'empty'))
  })

  await suite.test('writes straight to a file that is chosen, where the page is trusted', async (t) => {
    const url = (await page(film)).replace(PLAIN_HOST, '127.0.0.1')
    const tab = await open(t, url, PICKS)
    assert.equal(await tab.evaluate('isSecureContext'), true)
    assert.doesNotMatch(await tab.shows(/67\.1 MB/), /not encrypted/)
    await tab.press('Download: film.mp4')
    await tab.shows(/Saved/)
    assert.equal(await tab.evaluate(PICKED('film.mp4')), await digest(homes.path('tree', 'film.mp4')))
  })

  await suite.test('one wrong byte, and it refuses, and saves nothing', async (t) => {
    way.wrongByte = 40 * MIB
    const tab = await open(t, await page(film))
    await tab.press('Download: film.mp4')
    await tab.shows(/Refused\. What came is not what the link names\..* Nothing was saved\./)
    assert.deepEqual(await readdir(chromium.downloads), [])
    await tab.press('Discard: film.mp4')
    await until('nothing is kept', async () => (await partsKept(tab)) === 0)
  })

  await suite.test('a connection that is cut again and again is taken up where it broke', async (t) => {
    way.cutAfter = 10 * MIB
    const tab = await open(t, await page(film))
    await tab.press('Download: film.mp4')
    await until('it was cut twice', () => way.offsets.length > 2)
    way.closed = true
    await tab.shows(/connection was lost; trying again/)
    Object.assign(way, { closed: false, cutAfter: undefined })
    await tab.shows(/Saved/)
    await assertSame(await downloaded('film.mp4', FILM), homes.path('tree', 'film.mp4'))
    assertGoesOn(way.offsets)
  })

  await suite.test('is paused and resumed, and goes on after the page was closed', async (t) => {
    way.cutAfter = 30 * MIB
    const url = await page(film)
    const first = await open(t, url)
    await first.press('Download: film.mp4')
    await until('it was cut', () => way.offsets.length > 1)
    way.closed = true
    await first.press('Pause: film.mp4')
    await first.shows(/MB of 67\.1 MB\. Paused\./)
    await first.close()
    Object.assign(way, { closed: false, cutAfter: undefined })
    way.asked.length = 0
    const second = await open(t, url)
    await second.press('Download: film.mp4')
    await second.shows(/Saved/)
    await assertSame(await downloaded('film.mp4', FILM), homes.path('tree', 'film.mp4'))
    assert.ok((way.offsets[0] ?? 0) >= 16 * MIB, `began again at ${way.offsets[0]}`)
  })

  await suite.test('checks against the link, not against what the node says', async (t) => {
    const other = await open(t, (await page(film)).replace(film, tree))
    await other.shows(/something else at this address than the link names/)
    const none = await open(t, (await page(film)).replace(/#.*/, ''))
    await none.shows(/This link is cut off/)
    assert.ok(!way.asked.some((path) => path.includes('/blocks/')))
  })

  await suite.test('says so when its share is revoked, and has it no more', async (t) => {
    const cid = await home.share('add', '-q', homes.path('tree', 'd'))
    const url = await page(cid)
    const tab = await open(t, url)
    await tab.shows(/1 file/)
    await home.share('page', cid, '--revoke')
    await tab.press('Download: ą b#%?.bin')
    await tab.shows(/This link has ended/)
    assert.equal((await fetch(url.replace(PLAIN_HOST, '127.0.0.1'))).status, 404)
  })
})

async function page(cid: string): Promise<string> {
  return (await home.json<{ url: string }>('page', cid)).url
}

async function open(t: TestContext, url: string, before = NO_PICKER): Promise<Tab> {
  const tab = await chromium.open(url, { before })
  t.after(() => tab.close().catch(() => {}))
  return tab
}

/** A finished download's path. */
function downloaded(name: string, size: number): Promise<string> {
  const path = join(chromium.downloads, name)
  return until(`${name} is saved`, async () => {
    const found = await stat(path).catch(() => undefined)
    return found?.size === size ? path : undefined
  })
}

/** Parts of files in the page's storage. */
function partsKept(tab: Tab): Promise<number> {
  return tab.evaluate<number>(`new Promise((resolve, reject) => {
    const opening = indexedDB.open('share-page')
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const counting = opening.result.transaction('parts').objectStore('parts').count()
      counting.onsuccess = () => { opening.result.close(); resolve(counting.result) }
    }
  })`)
}

function assertGoesOn(offsets: readonly number[]): void {
  assert.equal(offsets[0], 0)
  assert.ok((offsets.at(-1) ?? 0) > 0)
  assert.deepEqual(
    offsets,
    offsets.toSorted((one, other) => one - other),
  )
}

async function digest(path: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', await readFile(path))).toString('hex')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}
