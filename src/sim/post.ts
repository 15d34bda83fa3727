/**
 * Delivers messages a latency after they were sent. What takes equally long is one queue with one timer: a swarm of a
 * thousand sends ten million messages, and none of them is worth a timer.
 */
import type { Clock, Timer } from './clock.ts'
import type { Message } from './messages.ts'

/** Who gets messages. */
export interface Addressee {
  receive(message: Message): void
  /** What came too late: the run is over. */
  miss(message: Message): void
}

/** A queue drops its delivered head when that is so long, and longer than the rest. */
const LONG = 4096

export class Post {
  readonly #clock: Clock
  readonly #routes = new Map<number, Route>()
  /** Most have but one latency. */
  #last: Route | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  send(to: Addressee, message: Message, latency: number): void {
    if (this.#last?.latency !== latency) this.#last = this.#route(latency)
    this.#last.send(to, message)
  }

  /** Ends all deliveries. */
  stop(): void {
    for (const route of this.#routes.values()) route.stop()
  }

  #route(latency: number): Route {
    const known = this.#routes.get(latency)
    if (known !== undefined) return known
    const route = new Route(this.#clock, latency)
    this.#routes.set(latency, route)
    return route
  }
}

class Route {
  readonly latency: number
  readonly #clock: Clock
  readonly #timer: Timer
  readonly #to: Addressee[] = []
  readonly #messages: Message[] = []
  readonly #due: number[] = []
  #next = 0

  constructor(clock: Clock, latency: number) {
    this.#clock = clock
    this.latency = latency
    this.#timer = clock.idle(() => this.#deliver())
  }

  send(to: Addressee, message: Message): void {
    const due = this.#clock.now + this.latency
    this.#to.push(to)
    this.#messages.push(message)
    this.#due.push(due)
    if (this.#timer.position < 0) this.#clock.move(this.#timer, due)
  }

  stop(): void {
    this.#clock.cancel(this.#timer)
    for (; this.#next < this.#due.length; this.#next++) this.#to[this.#next]?.miss(this.#message)
  }

  get #message(): Message {
    const message = this.#messages[this.#next]
    if (message === undefined) throw new Error('no message is due')
    return message
  }

  #deliver(): void {
    const { now } = this.#clock
    while (this.#next < this.#due.length && (this.#due[this.#next] ?? 0) <= now) {
      const to = this.#to[this.#next]
      const message = this.#message
      this.#next++
      to?.receive(message)
    }
    if (this.#next >= LONG && 2 * this.#next >= this.#due.length) this.#shift()
    const due = this.#due[this.#next]
    if (due !== undefined) this.#clock.move(this.#timer, due)
  }

  #shift(): void {
    this.#to.splice(0, this.#next)
    this.#messages.splice(0, this.#next)
    this.#due.splice(0, this.#next)
    this.#next = 0
  }
}
