/**
 * A daemon around the fake node. In the home the file `lock` stands in for the store's lock, and `hang` makes its
 * stop hang. What `get` and `cat` do depends on the last name of their target.
 */
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ShareError } from '../../src/core/errors.ts'
import { homePath } from '../../src/daemon/home.ts'
import { runDaemon } from '../../src/daemon/run.ts'
import type { GetOptions, PeerInfo, ShareInfo } from '../../src/node/types.ts'
import { FakeNode, shareInfo } from './fake-node.ts'

const NOBODY = { code: 'NOBODY_HAS_IT', message: 'nobody found yet', hint: 'name a peer' } as const
const PEER: PeerInfo = {
  id: 'p',
  wire: 'share',
  address: undefined,
  via: undefined,
  problem: undefined,
  pieces: 1,
  choked: false,
  interested: true,
  choking: false,
  wanted: false,
  snubbed: false,
  uploaded: 0,
  downloaded: 40,
  rates: { up: 0, down: 9 },
}

await runDaemon(homePath(), async ({ home }) => {
  takeLock(join(home, 'lock'))
  const node = new FakeNode()
  node.onGet = pretendToGet
  node.onCat = pretendToCat
  if (existsSync(join(home, 'hang'))) node.stop = () => new Promise(() => {})
  return node
})

async function pretendToGet(target: string, options: GetOptions = {}): Promise<ShareInfo> {
  const share = shareInfo({ state: 'downloading', have: 40, path: options.output ?? '' })
  const report = options.onProgress ?? (() => {})
  const kind = target.split('/').at(-1)
  if (kind === 'full') throw new ShareError('DISK_FULL', 'no space left', 'free some space')
  if (kind === 'nobody') report({ share: { ...share, have: 0 }, notice: NOBODY })
  if (kind === 'slow') report({ share: { ...share, peers: [PEER] } })
  if (kind === 'nobody' || kind === 'slow') await aborted(options.signal)
  return { ...share, state: 'seeding', have: 100 }
}

async function* pretendToCat(target: string): AsyncGenerator<Uint8Array> {
  if (target.endsWith('/endless')) for (;;) yield Buffer.alloc(65_536)
  yield Buffer.from('hello world\n')
  if (target.endsWith('/broken')) throw new ShareError('VERIFICATION_FAILED', 'a bad block', 'try again')
}

async function aborted(signal = new AbortController().signal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}

function takeLock(path: string): void {
  if (existsSync(path) && isAlive(Number(readFileSync(path, 'utf8')))) {
    throw new ShareError(
      'ALREADY_RUNNING',
      `process ${readFileSync(path, 'utf8')} has this home`,
      'stop it first',
    )
  }
  writeFileSync(path, String(process.pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
