/** A store on a disk that fails at any step, or loses power: nothing durable is lost, nothing is claimed that is not there. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createPrng } from '../../../src/core/prng.ts'
import { openStore } from '../../../src/store/store.ts'
import { writeFiles } from '../../unit/store-fixture.ts'
import { rounds, SEED } from '../extent.ts'
import { tally } from '../tally.ts'
import { assess } from './assess.ts'
import { FaultyCatalogue } from './faulty-catalogue.ts'
import { type Fault, type FaultKind, FaultyDisk } from './faulty-disk.ts'
import { runThreadInside } from './thread-inside.ts'
import { makeShares, Work } from './work.ts'

const KINDS: readonly FaultKind[] = [
  'power',
  'torn',
  'power',
  'torn',
  'kill',
  'full',
  'ENOSPC',
  'EIO',
  'short',
]
/** What is lost is up to the tests: where memory is a disk, it is as good as any, and much faster. */
const TOP = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Orders of work; each is met by faults at many of its steps. */
const ORDERS = 40

test('a store on a failing disk', async (t) => {
  const count = rounds(100, 1_000)
  t.diagnostic(`seed ${SEED}, ${count} faults`)
  const steps = new Map<number, number>()
  const met = new Map<FaultKind, number>()
  let small = 0
  runThreadInside()
  for (let round = 0; round < count; round++) {
    const prng = createPrng(SEED + round)
    const order = SEED + (round % ORDERS)
    if (!steps.has(order)) steps.set(order, (await once(order, undefined, SEED)).steps)
    const step = prng.below(steps.get(order) ?? 1)
    const kind = KINDS[prng.below(KINDS.length)] ?? 'power'
    try {
      const disk = await once(order, { kind, step }, SEED + round)
      if (disk.met) met.set(kind, (met.get(kind) ?? 0) + 1)
      small += disk.madeByCalls
    } catch (thrown) {
      throw new Error(`HOSTILE_SEED=${SEED}, round ${round}: ${kind} at step ${step}`, { cause: thrown })
    }
  }
  const kinds = [...met].map(([kind, times]) => `${kind} ${times}`).join(', ')
  t.diagnostic(`${kinds}; ${small} files by the thread of small files`)
  assert.ok(small > 0, 'the thread of small files took part')
  tally(
    `faults of the disk under a store (${kinds})`,
    count,
    'nothing durable lost, nothing claimed that is not there',
  )
})

/** One order of work with one fault, and all checks after it. */
async function once(order: number, fault: Fault | undefined, seed: number): Promise<FaultyDisk> {
  const top = await mkdtemp(join(TOP, 'share-disk-'))
  const [work, home, graves] = [join(top, 'work'), join(top, 'work/home'), join(top, 'graves')]
  for (const path of [work, graves, join(work, 'sources'), join(work, 'targets')]) await mkdir(path)
  const shares = makeShares(work)
  for (const { share, path, how } of shares) if (how !== 'download') await writeFiles(share, path)
  // a home that is there already: losing all of it is nobody's loss
  await (await openStore(home)).close()
  const prng = createPrng(seed)
  const mayWrite = (path: string) =>
    path.startsWith(`${home}/`) || shares.some(({ how, path: to }) => how === 'download' && isOf(path, to))
  const disk = new FaultyDisk(work, { graves, mayWrite, fault, prng })
  const catalogue = new FaultyCatalogue(disk)
  try {
    await underFaults(disk, catalogue, home, (store) => new Work(store, shares, createPrng(order)))
    if (disk.powered) disk.release()
    else {
      await disk.lose()
      await catalogue.lose(join(home, 'catalogue'), prng)
    }
    await assess(home, shares)
    assert.deepEqual(disk.trespasses, [], 'written where nothing may be written')
    return disk
  } finally {
    await rm(top, { recursive: true, force: true })
  }
}

async function underFaults(
  disk: FaultyDisk,
  catalogue: FaultyCatalogue,
  home: string,
  start: (store: Awaited<ReturnType<typeof openStore>>) => Work,
): Promise<void> {
  disk.install()
  catalogue.install()
  const failures: unknown[] = []
  try {
    const store = await openStore(home).catch((thrown: unknown) => void failures.push(thrown))
    if (store === undefined) return
    await start(store).run(
      (thrown) => failures.push(thrown),
      () => !disk.off,
    )
    await store.close().catch((thrown: unknown) => failures.push(thrown))
  } finally {
    disk.remove()
    catalogue.remove()
  }
  for (const failure of failures) if (!disk.met) throw failure
}

/** The target, or what stands for it until it is whole. */
function isOf(path: string, target: string): boolean {
  return [target, `${target}.part`].some((own) => path === own || path.startsWith(`${own}/`))
}
