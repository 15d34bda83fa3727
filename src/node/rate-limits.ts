/**
 * The rate limits that the user sets: for the node, and for single shares, where they are kept in the share's row. Up
 * they hold data back in front of the transports, down they hold back requests. All apply at once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Millis, RootKey } from '../core/types.ts'
import type { Store } from '../store/types.ts'
import type { Limits } from '../swarm/limits.ts'
import type { SwarmDriver } from './swarm-driver.ts'
import type { Rates } from './types.ts'

/** A limit that is lifted is felt at once, also by who waits for it. */
const LONGEST_NAP_MS = 200

export interface RateLimitsContext {
  readonly store: Store
  readonly limits: Limits
  readonly driver: Pick<SwarmDriver, 'limitDownload' | 'swarms'>
  readonly now: () => Millis
}

export class RateLimits {
  readonly #context: RateLimitsContext

  constructor(context: RateLimitsContext) {
    this.#context = context
  }

  /** For everything together, in bytes a second; 0 is unlimited, and what is not named stays. */
  setAll({ up, down }: Partial<Rates>): void {
    const { limits, driver, now } = this.#context
    if (up !== undefined) limits.set('up', up, now())
    if (down !== undefined) driver.limitDownload(down)
  }

  /** For one share, kept over restarts. */
  async setShare(root: RootKey, rates: Partial<Rates>): Promise<void> {
    const { store, driver } = this.#context
    const row = store.share(root)
    if (row === undefined) return
    await store.update(root, { limits: { ...row.limits, ...rates } })
    for (const swarm of driver.swarms) if (swarm.shares.has(root)) this.opened(swarm.root)
  }

  /** A swarm was opened: what is limited in its share is limited in it. */
  opened(root: RootKey): void {
    const { limits, driver, now } = this.#context
    const { up, down } = this.#of(root)
    limits.set('up', up, now(), root)
    driver.limitDownload(down, root)
  }

  /** Waits until bytes that go out beside the swarms may go; aborting throws the signal's reason. */
  async passUp(root: RootKey, bytes: number, signal?: AbortSignal): Promise<void> {
    const { store, limits, driver, now } = this.#context
    // a swarm that is not open has not brought in its limits
    if (driver.swarms.get(root) === undefined)
      limits.set('up', store.share(root)?.limits.up ?? 0, now(), root)
    for (let wait = limits.waits('up', now(), root); wait > 0; wait = limits.waits('up', now(), root))
      await sleep(Math.min(wait, LONGEST_NAP_MS), undefined, signal && { signal })
    limits.charge('up', bytes, now(), root)
  }

  /** Of several shares, the least. */
  #of(root: RootKey): Rates {
    const { store, driver } = this.#context
    const shares = [...(driver.swarms.get(root)?.shares ?? [])]
    const rows = shares.flatMap((share) => store.share(share)?.limits ?? [])
    return { up: least(rows.map(({ up }) => up)), down: least(rows.map(({ down }) => down)) }
  }
}

/** Of limits where 0 is none. */
function least(rates: readonly number[]): number {
  const limits = rates.filter((rate) => rate > 0)
  return limits.length === 0 ? 0 : Math.min(...limits)
}
