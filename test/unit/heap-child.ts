/** Says what it was started with, insists on the daemon's heap, and says it again. */
import { writeSync } from 'node:fs'
import { insistOnHeap } from '../../src/daemon/heap.ts'

const say = (line: string): number => writeSync(1, `${line}\n`)
const state = (): string => {
  const flags = process.execArgv.filter((flag) => /^--(max-semi-space-size|heap-growing-percent)=/.test(flag))
  return `${process.pid} ${flags.length} flags, ${process.argv.slice(2).join(' ')}`
}

say(state())
insistOnHeap()
say(state())
say('goes on')
