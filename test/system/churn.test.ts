/**
 * Nodes that join, leave for good, stop, are killed and are cut off, while files are added and fetched: whatever a node that
 * is left has whole can be fetched from it, equal. Needs root and Linux. A short while of it with few nodes here;
 * `npm run test:soak -- churn` has 20 nodes for half an hour (`CHURN_NODES`, `CHURN_SECONDS`; `HOSTILE_SEED` repeats the
 * choices).
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPrng, type Prng } from '../../src/core/prng.ts'
import { SEED } from '../hostile/extent.ts'
import { tally } from '../hostile/tally.ts'
import { cutOff } from './internet/internet.ts'
import { Place } from './internet/meeting.ts'
import type { Node } from './internet/node.ts'

const NODES = Number(process.env.CHURN_NODES ?? 6)
const SECONDS = Number(process.env.CHURN_SECONDS ?? 40)

const MIB = 1 << 20
const MOST_BYTES = 4 * MIB

/** Between two things that happen, in ms. */
const PAUSE = 1_000

/** A fetch in the midst of it may fail; at the end it may not, within this. */
const FETCH_MS = 60_000
const LAST_FETCH_MS = 120_000

/** How often each thing happens, of the sum of all. */
const WEIGHTS = { add: 6, get: 10, stop: 3, kill: 4, cut: 3, back: 9, leave: 1 } as const
type Step = keyof typeof WEIGHTS

interface Member {
  readonly node: Node
  state: 'up' | 'down' | 'cut'
  /** Ends being cut off. */
  heal?: () => Promise<void>
}

interface Shared {
  readonly cid: string
  readonly digest: string
}

class Churn {
  readonly #place: Place
  readonly #prng: Prng
  readonly members: Member[] = []
  readonly files: Shared[] = []
  readonly done = { add: 0, get: 0, stop: 0, kill: 0, cut: 0, back: 0, leave: 0, missed: 0 }
  readonly #fetches = new Set<Promise<void>>()

  constructor(place: Place, prng: Prng) {
    this.#place = place
    this.#prng = prng
  }

  async join(): Promise<void> {
    this.members.push({ node: await this.#place.add('public'), state: 'up' })
  }

  async step(): Promise<void> {
    const step = this.#choose()
    const member = this.#pick(this.members.filter(({ state }) => (state === 'up') === (step !== 'back')))
    if (member === undefined) return
    await this.#steps[step](member)
    this.done[step]++
  }

  readonly #steps: Readonly<Record<Step, (member: Member) => Promise<void> | void>> = {
    add: async ({ node }) => {
      const bytes = randomBytes(1 + this.#prng.below(MOST_BYTES))
      const path = node.path(`added ${this.done.add}`)
      await writeFile(path, bytes)
      const { cid } = await node.client.add({ path }, {})
      this.files.push({ cid, digest: createHash('sha256').update(bytes).digest('hex') })
    },
    get: ({ node }) => {
      const file = this.#pick(this.files)
      if (file !== undefined) this.#fetch(node, file)
    },
    stop: async (member) => {
      member.state = 'down'
      await member.node.stop()
    },
    kill: async (member) => {
      member.state = 'down'
      await member.node.kill()
    },
    cut: async (member) => {
      member.state = 'cut'
      member.heal = await cutOff(member.node.host)
    },
    back,
    leave: async (member) => {
      this.members.splice(this.members.indexOf(member), 1)
      await member.node.remove()
      await this.join()
    },
  }

  /** In the midst of it a fetch may miss; what it brings has to be right. */
  #fetch(node: Node, file: Shared): void {
    const output = node.path(`got ${this.done.get}`)
    const fetch = got(node, file, output, FETCH_MS).catch((error: unknown) => {
      if (error instanceof assert.AssertionError) throw error
      this.done.missed++
    })
    fetch.catch(() => undefined)
    this.#fetches.add(fetch)
  }

  /** All that are left run, and nobody is cut off. Rejects when something wrong was brought. */
  async settle(): Promise<void> {
    for (const member of this.members) await back(member)
    await Promise.all(this.#fetches)
  }

  /** Who has it whole, by what each says. */
  async holders({ cid }: Shared): Promise<Member[]> {
    const held = await Promise.all(
      this.members.map(async ({ node }) => {
        const { shares } = await node.client.status()
        return shares.some((share) => share.cid === cid && share.state === 'seeding')
      }),
    )
    return this.members.filter((_, at) => held[at])
  }

  #choose(): Step {
    const bag = (Object.keys(WEIGHTS) as Step[]).flatMap((step) => Array<Step>(WEIGHTS[step]).fill(step))
    return this.#pick(bag) ?? 'get'
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from.length === 0 ? undefined : from[this.#prng.below(from.length)]
  }
}

async function back(member: Member): Promise<void> {
  if (member.state === 'down') await member.node.start()
  await member.heal?.()
  delete member.heal
  member.state = 'up'
}

/** @throws AssertionError when the bytes are others */
async function got(node: Node, { cid, digest }: Shared, output: string, ms: number): Promise<void> {
  await node.client.get({ target: cid, output }, { signal: AbortSignal.timeout(ms) })
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(output)) hash.update(chunk)
  assert.equal(hash.digest('hex'), digest, `${cid} as ${output}`)
}

test(`${NODES} nodes come and go for ${SECONDS} s, and lose nothing that one of them has`, async (t) => {
  t.diagnostic(`HOSTILE_SEED=${SEED}`)
  const place = await Place.open()
  t.after(() => place.close())
  const churn = new Churn(place, createPrng(SEED))
  for (let count = 0; count < NODES; count++) await churn.join()
  const end = performance.now() + SECONDS * 1000
  while (performance.now() < end) {
    await churn.step()
    await sleep(PAUSE)
  }
  await churn.settle()
  t.diagnostic(JSON.stringify(churn.done))
  const fetched = await fetchAll(t, churn)
  const { add, get, missed, stop, kill, cut, leave } = churn.done
  tally(
    `${NODES} nodes for ${SECONDS} s: ${stop} stopped, ${kill} killed, ${cut} cut off, ${leave} gone for good; ${add} files, ${get} fetches (${missed} in vain) meanwhile`,
    fetched,
    'every file that a node still had was fetched afterwards, equal',
  )
})

/** Whatever somebody has whole comes to somebody who has not. Returns how many did. */
async function fetchAll(t: TestContext, churn: Churn): Promise<number> {
  let [fetched, everywhere, lost] = [0, 0, 0]
  for (const file of churn.files) {
    const holders = await churn.holders(file)
    const other = churn.members.find((member) => !holders.includes(member))
    if (holders.length === 0) lost++
    else if (other === undefined) everywhere++
    else await got(other.node, file, other.node.path(`last ${fetched++}`), LAST_FETCH_MS)
  }
  t.diagnostic(`${fetched} fetched at the end, ${everywhere} were everywhere, ${lost} went with their nodes`)
  return fetched
}
