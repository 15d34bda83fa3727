/** A daemon around the fake node. The file `lock` in the home stands in for the store's lock, `hang` makes its stop hang. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ShareError } from '../../src/core/errors.ts'
import { homePath } from '../../src/daemon/home.ts'
import { runDaemon } from '../../src/daemon/run.ts'
import { FakeNode } from './fake-node.ts'

await runDaemon(homePath(), async ({ home }) => {
  takeLock(join(home, 'lock'))
  const node = new FakeNode()
  if (existsSync(join(home, 'hang'))) node.stop = () => new Promise(() => {})
  return node
})

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
