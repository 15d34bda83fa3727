/** Runs tests that count, one file after the other, and writes what they counted into docs/reliability.md. */
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeTable } from './report.ts'

export interface CountedRun {
  /** Of the table. */
  readonly name: string
  readonly files: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** The tests' exit code. */
export function runCounted({ name, files, env }: CountedRun): number {
  const seed = process.env.HOSTILE_SEED ?? String(randomInt(2 ** 31))
  const top = mkdtempSync(join(tmpdir(), 'share-counted-'))
  const counts = join(top, 'counts')
  console.log(`HOSTILE_SEED=${seed}`)
  // one after the other: they measure memory and kill daemons
  const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', ...files], {
    stdio: 'inherit',
    env: { ...process.env, ...env, HOSTILE_SEED: seed, HOSTILE_TALLY: counts },
  })
  const day = new Date().toISOString().slice(0, 10)
  const verdict = status === 0 ? 'every test passed' : 'some tests failed, and are not in the table'
  writeTable(name, `Run of ${day}, seed ${seed}: ${verdict}.`, counts)
  rmSync(top, { recursive: true })
  return status ?? 1
}
