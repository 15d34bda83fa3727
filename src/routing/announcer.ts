/**
 * Keeps provider records alive on one DHT. kad-dht renews what it was told once a day; this adds what it leaves out:
 * a record is announced as soon as there is somebody to tell, tried again until a lookup shows it, and told to
 * newcomers while the network is so small that each of them belongs among its holders. (A lookup follows only peers
 * nearer to the key than the one that named them, so a newcomer who is nearest, and knows nothing, would hide it.)
 *
 * A record's outcome is that of its last attempt; an attempt is due
 *
 *   | outcome            | due                                             |
 *   |--------------------|-------------------------------------------------|
 *   | nobody (or none)   | when a peer appears                             |
 *   | sent               | after a growing wait, or when a peer appears    |
 *   | confirmed          | when a peer appears in a small network          |
 *
 * A record that need not be confirmed counts as such once it was sent.
 */
import type { PeerId } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import { Slots } from '../core/slots.ts'
import { type Dht, hasPeers, isSmall, onPeer } from './dht.ts'
import { type Care, type Outcome, publish, retract } from './record.ts'

/** Lookups at once: enough to hide their latency, few enough to leave the connections to transfers. */
const LOOKUPS = 8

/** One attempt, in ms. On the public DHT the lookup alone may take a minute. */
const ATTEMPT_LIMIT = 150_000

/** Peers come in bursts: a sweep starts this long after the first of them, in ms. */
const BURST = 200

/** Sweeps take at most one tenth of the time, however many records and newcomers there are. */
const SWEEP_SHARE = 10

/** The wait before unconfirmed records are tried again, in ms: doubled up to the last. */
const FIRST_RETRY = 10_000
const LAST_RETRY = 900_000

interface Entry {
  readonly cid: CID
  readonly key: string
  care: Care
  readonly withdrawn: AbortController
  outcome: Outcome
  /** The announcer's `era` that the last finished attempt began in. */
  era: number
  /** The attempt that waits for its turn or is under way. */
  attempt: Promise<void> | undefined
  /** The lookups of that attempt, once they began. */
  lookups: Promise<Outcome> | undefined
}

export class Announcer {
  readonly #dht: Dht
  readonly #self: PeerId
  readonly #entries = new Map<string, Entry>()
  readonly #retracting = new Map<string, Promise<void>>()
  readonly #slots = new Slots(LOOKUPS)
  readonly #stopListening: () => void
  /** Counts the peers that appeared: an older record has not been told to the latest of them. */
  #era = 0
  #retryWait = FIRST_RETRY
  #restUntil = 0
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires; Infinity while there is none. */
  #sweepAt = Number.POSITIVE_INFINITY
  #sweeping = false
  #stopped = false

  constructor(dht: Dht, self: PeerId) {
    this.#dht = dht
    this.#self = self
    this.#stopListening = onPeer(dht, () => this.#peerAppeared())
  }

  /** Keeps the record from now on. Resolves after the first attempt, with whether a lookup has shown it. */
  async announce(cid: CID, care: Care = 'confirm'): Promise<boolean> {
    const entry = this.#keep(cid, care)
    if (!isSettled(entry)) await this.#attempt(entry)
    if (!isSettled(entry)) this.#retryLater()
    return entry.outcome === 'confirmed'
  }

  /** The same for many, of which none has to be shown by a lookup; those that come later wait for those before. */
  async announceMany(cids: Iterable<CID>, isWanted: () => boolean): Promise<void> {
    const queue = cids[Symbol.iterator]()
    const work = async (): Promise<void> => {
      for (let next = queue.next(); next.done !== true && isWanted() && !this.#stopped; next = queue.next())
        await this.announce(next.value, 'send')
    }
    // one fewer than there are slots, so that a root never waits for files
    await Promise.all(Array.from({ length: LOOKUPS - 1 }, work))
  }

  announced(cid: CID): boolean {
    return this.#entries.get(keyOf(cid))?.outcome === 'confirmed'
  }

  async withdraw(cid: CID): Promise<void> {
    const entry = this.#entries.get(keyOf(cid))
    if (entry === undefined) return
    this.#entries.delete(entry.key)
    entry.withdrawn.abort()
    const done = this.#retract(entry)
    this.#retracting.set(entry.key, done)
    await done
    if (this.#retracting.get(entry.key) === done) this.#retracting.delete(entry.key)
  }

  /** Ends what is under way. Nothing is retracted: the records are renewed when the node runs again. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#stopListening()
    clearTimeout(this.#timer)
    const attempts = [...this.#entries.values()].map((entry) => entry.attempt)
    for (const entry of this.#entries.values()) entry.withdrawn.abort()
    await Promise.all([...attempts, ...this.#retracting.values()])
  }

  #keep(cid: CID, care: Care): Entry {
    const key = keyOf(cid)
    const kept = this.#entries.get(key)
    if (kept !== undefined) {
      if (care === 'confirm') kept.care = care
      return kept
    }
    const withdrawn = new AbortController()
    const entry: Entry = {
      cid,
      key,
      care,
      withdrawn,
      outcome: 'nobody',
      era: -1,
      attempt: undefined,
      lookups: undefined,
    }
    this.#entries.set(key, entry)
    return entry
  }

  /** Joins the attempt under way, or makes one. Never throws. */
  #attempt(entry: Entry): Promise<void> {
    entry.attempt ??= this.#slots
      .run(() => this.#publish(entry))
      .finally(() => {
        entry.attempt = undefined
      })
    return entry.attempt
  }

  async #publish(entry: Entry): Promise<void> {
    // announced again while being withdrawn: the record must be written after it was deleted
    await this.#retracting.get(entry.key)
    if (this.#stopped || entry.withdrawn.signal.aborted) return
    const era = this.#era
    const signal = AbortSignal.any([entry.withdrawn.signal, AbortSignal.timeout(ATTEMPT_LIMIT)])
    // withdrawn, or out of time: some peers may have it
    entry.lookups = publish(this.#dht, entry.cid, this.#self, entry.care, signal).catch(() => 'sent')
    entry.outcome = await entry.lookups
    entry.era = era
  }

  async #retract(entry: Entry): Promise<void> {
    // an attempt notes the record as it begins, so the note goes after it
    await entry.lookups
    await retract(this.#dht, entry.cid)
  }

  #peerAppeared(): void {
    this.#era++
    this.#retryWait = FIRST_RETRY
    this.#sweepBy(Math.max(performance.now() + BURST, this.#restUntil))
  }

  #retryLater(): void {
    // with nobody to tell, the next peer starts the next attempt
    if (hasPeers(this.#dht)) this.#sweepBy(performance.now() + this.#retryWait)
  }

  /** Sweeps at that time, unless a sweep is planned for an earlier one. */
  #sweepBy(time: number): void {
    if (this.#stopped || time >= this.#sweepAt) return
    clearTimeout(this.#timer)
    this.#sweepAt = time
    this.#timer = setTimeout(() => void this.#sweep(), time - performance.now())
  }

  async #sweep(): Promise<void> {
    this.#sweepAt = Number.POSITIVE_INFINITY
    if (this.#sweeping) return
    this.#sweeping = true
    const era = this.#era
    const started = performance.now()
    await Promise.all(this.#due().map((entry) => this.#attempt(entry)))
    const ended = performance.now()
    this.#sweeping = false
    this.#restUntil = ended + SWEEP_SHARE * (ended - started)
    if (this.#due().length === 0) return
    if (this.#era > era) return this.#sweepBy(this.#restUntil)
    this.#retryLater()
    this.#retryWait = Math.min(2 * this.#retryWait, LAST_RETRY)
  }

  #due(): Entry[] {
    const small = isSmall(this.#dht)
    return [...this.#entries.values()].filter(
      (entry) => !isSettled(entry) || (small && entry.era < this.#era),
    )
  }
}

/** No attempt is due but for newcomers. */
function isSettled({ care, outcome }: Entry): boolean {
  return outcome === 'confirmed' || (care === 'send' && outcome === 'sent')
}

/** Records are found by multihash: CIDs that differ in version or codec share one. */
function keyOf(cid: CID): string {
  return Buffer.from(cid.multihash.bytes).toString('base64')
}
