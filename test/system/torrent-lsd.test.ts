/**
 * share and libtorrent on one local network, with nothing to go by but its multicast (BEP 14). Needs root: the network is two
 * namespaces with a link between them.
 */
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { output } from '../bench/processes.ts'
import { Homes, SHARE, until } from '../e2e/homes.ts'
import { Finder } from '../interop/libtorrent-finder.ts'
import { noise } from '../unit/torrent-trees.ts'

interface Host {
  readonly address: string
  /** What a process is started by there. */
  readonly within: readonly string[]
}

async function layOut(t: TestContext): Promise<[Host, Host]> {
  const names = ['a', 'b'].map((side) => `share-lsd-${process.pid}-${side}`)
  const ip = (...args: string[]): Promise<string> => output('ip', args)
  for (const name of names) {
    await ip('netns', 'add', name)
    t.after(() => ip('netns', 'del', name))
  }
  const [a = '', b = ''] = names
  await ip('link', 'add', 'lan0', 'netns', a, 'type', 'veth', 'peer', 'name', 'lan0', 'netns', b)
  const hosts: Host[] = []
  for (const [at, name] of names.entries()) {
    const address = `10.98.0.${at + 1}`
    await ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'lan0')
    await ip('-n', name, 'link', 'set', 'lo', 'up')
    await ip('-n', name, 'link', 'set', 'lan0', 'up')
    await ip('-n', name, 'route', 'add', 'default', 'dev', 'lan0')
    hosts.push({ address, within: ['ip', 'netns', 'exec', name] })
  }
  const [first, second] = hosts
  assert.ok(first !== undefined && second !== undefined)
  return [first, second]
}

test('share and libtorrent find each other on a local network', async (t) => {
  const homes = await Homes.open(t)
  const [ours, theirs] = await layOut(t)
  const home = await homes.add('a', { 'torrent.listen': '/ip4/0.0.0.0/tcp/6881', 'torrent.lsd': 'on' })
  const [program = '', ...before] = ours.within
  await output(program, [...before, process.execPath, SHARE, 'daemon', 'start'], '', {
    env: { SHARE_HOME: home.path },
  })
  await writeFile(homes.path('a.bin'), noise(3_000_000, 1))
  const cid = await home.share('add', '-q', homes.path('a.bin'))
  const torrent = await home.share('torrent', cid, '-o', homes.path('a.torrent'))
  await mkdir(homes.path('taken'))
  const settings = { enable_lsd: true, listen_interfaces: `${theirs.address}:0` }
  const taker = await Finder.open(t, settings, theirs.within)
  const { peers } = await taker.get(torrent, homes.path('taken'))
  assert.deepEqual(await readFile(homes.path('taken', 'a.bin')), await readFile(homes.path('a.bin')))
  assert.ok(
    peers.every((peer) => peer.startsWith(`${ours.address}:`)),
    `${peers}`,
  )
  const [local] = await until('it was heard', async () => {
    const { discovery } = await home.status(cid)
    return (discovery[0]?.peers ?? 0) > 0 && discovery
  })
  assert.deepEqual([local?.kind, local?.error], ['lsd', undefined])
})
