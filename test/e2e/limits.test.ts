/** Messages under a rate limit, by the bench's own measurement: a small round, in which no time is asserted. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { measureControl } from '../bench/control.ts'

const RATE = 1_000_000

for (const [wire, kinds] of [
  ['share', ['offer', 'request', 'expect', 'have']],
  ['bitswap', ['ask', 'request']],
] as const) {
  test(`under a limit, what is decided on the ${wire} wire arrives, and data goes both ways`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'share-limits-'))
    t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }))
    const { up, down, delays, lost } = await measureControl({ rate: RATE, wire, seconds: 2, directory })
    assert.ok(up > 0 && down > 0)
    for (const kind of kinds) assert.ok((delays.get(kind)?.length ?? 0) > 0, kind)
    assert.equal(lost, 0)
  })
}
