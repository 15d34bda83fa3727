/**
 * Needs root and Linux. A stranger in the public DHT names addresses of the asker's own network and machine as providers:
 * nobody is called there, or any node could be made to look behind its owner's router.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { RAW } from '../../src/core/cid.ts'
import { tally } from '../hostile/tally.ts'
import { cidOf } from '../unit/store-fixture.ts'
import type { Host } from './internet/internet.ts'
import { Place } from './internet/meeting.ts'

const LIAR = fileURLToPath(new URL('internet/liar.ts', import.meta.url))
const AT = '48.1.0.1'

/** A search has been through several rounds by then, in ms. */
const SEARCH_MS = 15_000

const NOBODY_HAS = String(cidOf(RAW, Buffer.from('nobody has this')))

/** Says a line when it is called. */
const CANARY = `
  const [host, port] = process.argv.slice(1)
  require('node:net').createServer(() => console.log('called')).listen(port, host, () => console.log('listens'))
`

test('a node does not call the machines of its own network because a stranger says so', async (t) => {
  const place = await Place.open()
  t.after(() => place.close())
  const { internet } = place
  const home = await internet.home('port-restricted')
  const canary = async (namespace: string, host: string, port: number) => {
    const running = internet.run({ ...home, namespace }, process.execPath, ['-e', CANARY, host, String(port)])
    await running.line(/listens/)
    return running
  }
  const canaries = [
    await canary(home.router, '192.168.1.1', 80),
    await canary(home.namespace, '127.0.0.1', 8080),
    await canary(home.namespace, '192.168.1.2', 8080),
  ]
  const server: Host = await internet.server(AT)
  const named = ['/ip4/192.168.1.1/tcp/80', '/ip4/127.0.0.1/tcp/8080', '/ip4/192.168.1.2/tcp/8080']
  const liar = internet.run(server, process.execPath, [LIAR, `/ip4/${AT}/tcp/4001`, ...named])
  const bootstrap = (await liar.line(/^at /)).slice('at '.length)
  const asker = await place.addAt(home, { bootstrap })
  const search = asker.client.get(
    { target: NOBODY_HAS, output: asker.path('nothing') },
    { signal: AbortSignal.timeout(SEARCH_MS) },
  )
  await Promise.all([liar.line(/^asked/), assert.rejects(search)])
  for (const each of canaries)
    assert.equal(await Promise.race([each.line(/called/), sleep(100)]), undefined, 'it was called')
  tally('addresses of the own network named by a stranger', named.length, 'nobody was called')
})
