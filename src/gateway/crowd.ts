/** Who is being answered: a bound on all, and one on each address, so that one asker cannot take the place of all others. */

/** Answers under way. Each holds a few blocks in memory. */
const MOST = 64

/** Of one address: two browsers' worth of connections. */
const MOST_EACH = 12

export class Crowd {
  readonly #inside = new Map<string, number>()
  #count = 0

  /** Returns what to call once, when the answer has ended; undefined when there is no room. */
  enter(address: string): (() => void) | undefined {
    const here = this.#inside.get(address) ?? 0
    if (this.#count >= MOST || (here >= MOST_EACH && !isLocal(address))) return undefined
    this.#count++
    this.#inside.set(address, here + 1)
    return () => this.#leave(address)
  }

  #leave(address: string): void {
    this.#count--
    const left = (this.#inside.get(address) ?? 1) - 1
    if (left > 0) this.#inside.set(address, left)
    else this.#inside.delete(address)
  }
}

/** A proxy on this machine stands for many. */
function isLocal(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.')
}
