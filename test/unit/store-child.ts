/**
 * A process that uses a store until it is killed: `hold HOME` opens it; `download HOME TARGET SEED SIZE`
 * writes the pieces of a made file one by one, saying each one's number once it is stored, and `end`;
 * `finish` goes on to the final name first; `tree HOME TARGET FILES` does it with many small files, all at once.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openStore } from '../../src/store/store.ts'
import { bytes, makeFile, makeTree, manyFiles, startDownload } from './store-fixture.ts'

/** The last line of a process that has done its work. */
const END = 'end'

export interface Child {
  readonly pid: number
  /** Lines said so far. */
  readonly lines: readonly string[]
  /** Resolves when it has said so many lines, or has no more to say. */
  said(count: number): Promise<void>
  kill(): Promise<void>
}

/** Starts the process and waits for its first line. */
export async function startChild(t: TestContext, args: readonly string[]): Promise<Child> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  let wake = Promise.withResolvers<void>()
  const told = () => {
    wake.resolve()
    wake = Promise.withResolvers<void>()
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    told()
  })
  const ended = once(child, 'close').then(told)
  const said = async (count: number) => {
    const goesOn = () => lines.at(-1) !== END && child.exitCode === null && child.signalCode === null
    while (lines.length < count && goesOn()) await wake.promise
  }
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  t.after(kill)
  await said(1)
  return { pid: child.pid ?? 0, lines, said, kill }
}

async function main(): Promise<void> {
  const [task, home = '', target = '', seed, size] = process.argv.slice(2)
  const store = await openStore(home)
  if (task === 'hold') {
    process.stdout.write('open\n')
    setInterval(() => undefined, 1000)
    return
  }
  const share =
    task === 'tree' ? makeTree(manyFiles(Number(seed))) : makeFile(bytes(Number(size), Number(seed)))
  const download = await startDownload(store, share, target)
  process.stdout.write(`${JSON.stringify([...download.have])}\n`)
  const write = async ([piece, block]: [number, Uint8Array]): Promise<void> => {
    if (download.have.has(piece)) return
    await download.writePiece(piece, block)
    process.stdout.write(`${piece}\n`)
  }
  if (task === 'tree') await Promise.all([...share.blocks.entries()].map(write))
  else for (const each of share.blocks.entries()) await write(each)
  if (task === 'finish') await download.finish()
  process.stdout.write(`${END}\n`)
  setInterval(() => undefined, 1000)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
