/** Delivers messages a latency after they were sent. Those that are due at the same time share one timer. */
import type { Clock } from './clock.ts'
import type { End } from './connection.ts'
import type { Message } from './messages.ts'

interface Bag {
  readonly due: number
  readonly letters: { readonly to: End; readonly message: Message }[]
}

export class Post {
  readonly #clock: Clock
  /** The last bag by latency, which takes more until it is due. */
  readonly #open = new Map<number, Bag>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  send(to: End, message: Message, latency: number): void {
    const due = this.#clock.now + latency
    let bag = this.#open.get(latency)
    if (bag?.due !== due) {
      bag = { due, letters: [] }
      this.#open.set(latency, bag)
      const full = bag
      this.#clock.at(due, () => this.#deliver(full, latency))
    }
    bag.letters.push({ to, message })
  }

  #deliver(bag: Bag, latency: number): void {
    if (this.#open.get(latency) === bag) this.#open.delete(latency)
    for (const { to, message } of bag.letters)
      if (to.connection.state === 'open') to.owner.receive(to, message)
  }
}
