/** Says how it was started, insists on the daemon's way, and says it again. */
import { writeSync } from 'node:fs'
import { insistOnRuntime } from '../../src/daemon/runtime.ts'

const say = (line: string): number => writeSync(1, `${line}\n`)
const state = (): string => {
  const flags = process.execArgv.filter((flag) =>
    /^--(max-semi-space-size|heap-growing-percent|invocation-count-for-turbofan)=/.test(flag),
  )
  const threads = process.env.UV_THREADPOOL_SIZE ?? 'no'
  const mapped = process.env.MALLOC_MMAP_THRESHOLD_ ?? 'nothing'
  return `${process.pid} ${flags.length} flags, ${threads} threads, ${mapped} mapped, ${process.argv.slice(2).join(' ')}`
}

say(state())
insistOnRuntime()
say(state())
say('goes on')
