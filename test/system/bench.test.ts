/** The benchmarks run to their end and print a table. What they measure is not judged here. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const BENCHMARKS = {
  // needs root: namespaces
  'swarm.ts': 'cases',
  'machine.ts': 'works',
}

for (const [file, list] of Object.entries(BENCHMARKS)) {
  test(`${file} measures a small case`, async (context) => {
    const directory = await mkdtemp(join(tmpdir(), 'share-bench-'))
    context.after(() => rm(directory, { recursive: true, force: true }))
    const script = fileURLToPath(new URL(`../bench/${file}`, import.meta.url))
    const json = join(directory, 'figures.json')
    const options = ['--programs', 'share', '--patience', '1', '--directory', directory, '--json', json]
    const { stdout } = await run(process.execPath, [script, '--case', 'smoke', ...options])
    assert.match(stdout, /^\| share \d+\.\d+\.\d+ +\| +\d/m)
    const [measured] = JSON.parse(await readFile(json, 'utf8'))[list]
    assert.deepEqual(measured.failures, [])
    assert.ok(measured.runs[0].total > 0)
  })
}
