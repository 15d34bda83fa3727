/**
 * A daemon among kubo peers that adds, gets, forgets and is cut off, over and over: it lives, says of nothing that it did not
 * expect it, and its memory stays. Two minutes of it here; `npm run test:soak kubo` goes on for an hour (`SOAK_SECONDS`).
 */
import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createPrng } from '../../src/core/prng.ts'
import { memoryOf } from '../bench/memory.ts'
import { type Home, Homes } from '../e2e/homes.ts'
import { assertSame, MIB, writeNoise } from '../e2e/trees.ts'
import { tally } from '../hostile/tally.ts'
import { manyFiles } from './corpus.ts'
import { Kubo } from './kubo.ts'

const SECONDS = Number(process.env.SOAK_SECONDS ?? 120)

/** When the caches are full and the code is compiled, in seconds: memory is compared with that from here on. */
const WARM = 600

/** Memory at the end, as a part of that when warm. */
const MOST_GROWTH = 1.2

const SHARES_KEPT = 8

/** Seconds of samples that are averaged. */
const WINDOW = 240

interface Sample {
  readonly at: number
  readonly bytes: number
}

class Soak {
  readonly #homes: Homes
  readonly #share: Home
  readonly #kubos: readonly Kubo[]
  readonly #prng = createPrng(1)
  readonly #kept: string[] = []
  readonly done = { added: 0, got: 0, cut: 0, forgotten: 0 }
  #round = 0

  constructor(homes: Homes, share: Home, kubos: readonly Kubo[]) {
    this.#homes = homes
    this.#share = share
    this.#kubos = kubos
  }

  async round(): Promise<void> {
    this.#round++
    const kubo = this.#kubos[this.#round % this.#kubos.length]
    assert.ok(kubo !== undefined)
    const source = this.#homes.path(`source ${this.#round}`)
    const copy = this.#homes.path(`copy ${this.#round}`)
    if (this.#prng.below(8) === 0) await manyFiles(source, this.#round, 100)
    else await writeNoise(source, 1 + this.#prng.below(8 * MIB), this.#round)
    await kubo.connect(this.#share)
    if (this.#prng.below(2) === 0) await this.#give(kubo, source, copy)
    else await this.#take(kubo, source, copy)
    await rm(copy, { recursive: true, force: true })
    while (this.#kept.length > SHARES_KEPT) await this.#forget()
    if (this.#round % 20 === 0) for (const each of this.#kubos) await each.run('repo', 'gc', '-q')
  }

  async #give(kubo: Kubo, source: string, copy: string): Promise<void> {
    this.#kept.push(await this.#share.share('add', '--copy', source))
    const root = this.#kept.at(-1) ?? ''
    const getting = kubo.get(root, copy)
    await this.#cutNow(kubo)
    await kubo.connect(this.#share)
    await getting
    await assertSame(copy, source)
    await rm(source, { recursive: true })
    this.done.added++
  }

  async #take(kubo: Kubo, source: string, copy: string): Promise<void> {
    const root = await kubo.add(source, '--pin=false')
    const getting = this.#share.share('get', root, '--peer', await kubo.address(), '-o', copy)
    await this.#cutNow(kubo)
    await getting
    await assertSame(copy, source)
    // its file goes with the copy
    await this.#share.share('rm', root)
    await rm(source, { recursive: true })
    this.done.got++
  }

  /** In the middle of what moves; who asks finds the way back. */
  async #cutNow(kubo: Kubo): Promise<void> {
    if (this.#prng.below(3) > 0) return
    await kubo.run('swarm', 'disconnect', await this.#share.address()).catch(() => '')
    this.done.cut++
  }

  async #forget(): Promise<void> {
    await this.#share.share('rm', this.#kept.shift() ?? '')
    await this.#share.share('gc')
    this.done.forgotten++
  }
}

function mean(samples: readonly Sample[], from: number): number {
  const inside = samples.filter(({ at }) => at >= from && at < from + WINDOW)
  return inside.reduce((sum, { bytes }) => sum + bytes, 0) / inside.length
}

test(`${SECONDS} s of adding, getting and being cut off among kubo peers`, async (t) => {
  const homes = await Homes.open(t)
  const share = await homes.add('a')
  const kubos = [await Kubo.start(homes, '1'), await Kubo.start(homes, '2')]
  await share.share('daemon', 'start')
  const { pid } = await share.daemon()
  assert.ok(pid !== undefined)
  const soak = new Soak(homes, share, kubos)
  const began = performance.now()
  const elapsed = (): number => (performance.now() - began) / 1000
  const samples: Sample[] = []
  while (elapsed() < SECONDS) {
    await soak.round()
    samples.push({ at: elapsed(), bytes: await memoryOf(pid, 'VmRSS') })
  }
  assert.equal((await share.daemon()).pid, pid, 'the daemon is another one')
  const log = await readFile(join(share.path, 'daemon.log'), 'utf8')
  assert.doesNotMatch(log, /unhandled|uncaught|TypeError|RangeError|is not a function/i)
  for (const kubo of kubos) await kubo.tell(t)
  const last = samples.at(-1)?.bytes ?? 0
  t.diagnostic(
    `${samples.length} rounds: ${JSON.stringify(soak.done)}; ${Math.round(last / MIB)} MiB at the end`,
  )
  if (SECONDS < WARM + 2 * WINDOW) return
  const [warm, end] = [mean(samples, WARM), mean(samples, SECONDS - WINDOW)]
  t.diagnostic(
    `${Math.round(warm / MIB)} MiB after ten minutes, ${Math.round(end / MIB)} MiB in the last ones`,
  )
  assert.ok(end <= MOST_GROWTH * warm, `${end} bytes at the end, ${warm} after ten minutes`)
  const { added, got, cut, forgotten } = soak.done
  tally(
    `${SECONDS} s among kubo peers: ${added} files given, ${got} taken, ${cut} cut off, ${forgotten} forgotten`,
    samples.length,
    `all equal; ${Math.round(warm / MIB)} MiB of memory after ten minutes, ${Math.round(end / MIB)} MiB at the end`,
  )
})
