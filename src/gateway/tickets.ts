/**
 * Which shares have a page, and under which unguessable name. Kept in the home in `pages.json`, for its owner alone,
 * so that a link goes on working when the daemon is started again.
 */
import { randomBytes } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { errno, ShareError } from '../core/errors.ts'
import type { RootKey } from '../core/types.ts'

export interface Ticket {
  /** 128 random bits, in base64url. */
  readonly token: string
  readonly root: RootKey
  /** Ms since 1970 when it ends by itself; without, it is ended by hand. */
  readonly expires?: number
}

const TOKEN_BYTES = 16
const TOKEN = /^[\w-]{22}$/

export class Tickets {
  readonly #path: string
  readonly #now: () => number
  readonly #tickets: Map<string, Ticket>
  /** Writes follow each other. */
  #written: Promise<void> = Promise.resolve()

  private constructor(path: string, now: () => number, tickets: readonly Ticket[]) {
    this.#path = path
    this.#now = now
    this.#tickets = new Map(tickets.map((ticket) => [ticket.token, ticket]))
  }

  /** @throws ShareError BAD_CONFIG for a file that is none of ours */
  static async load(path: string, now: () => number = () => Date.now()): Promise<Tickets> {
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      if (errno(cause) === 'ENOENT') return '[]'
      throw ShareError.from(cause, 'read which shares have pages')
    })
    return new Tickets(path, now, parsed(text, path))
  }

  /** Those that have not ended. */
  all(): Ticket[] {
    return [...this.#tickets.values()].filter(({ expires }) => expires === undefined || expires > this.#now())
  }

  find(token: string): Ticket | undefined {
    return this.all().find((ticket) => ticket.token === token)
  }

  /** One for the root: the one there is, with its end moved where one is named, or a new one. */
  async issue(root: RootKey, expires?: number): Promise<Ticket> {
    const known = this.all().find((ticket) => ticket.root === root)
    const token = known?.token ?? randomBytes(TOKEN_BYTES).toString('base64url')
    const end = expires ?? known?.expires
    const ticket: Ticket = { token, root, ...(end !== undefined && { expires: end }) }
    this.#tickets.set(token, ticket)
    await this.#save()
    return ticket
  }

  /** Ends what the root has; false when it had nothing. */
  async revoke(root: RootKey): Promise<boolean> {
    const ended = [...this.#tickets.values()].filter((ticket) => ticket.root === root)
    for (const { token } of ended) this.#tickets.delete(token)
    if (ended.length > 0) await this.#save()
    return ended.length > 0
  }

  /** Resolves when nothing is being written any more. */
  async idle(): Promise<void> {
    await this.#written.catch(() => {})
  }

  #save(): Promise<void> {
    const write = async (): Promise<void> => {
      const draft = `${this.#path}.${process.pid}.tmp`
      try {
        await writeDurably(draft, `${JSON.stringify(this.all(), undefined, 2)}\n`)
        await rename(draft, this.#path)
      } catch (cause) {
        await rm(draft, { force: true })
        throw ShareError.from(cause, 'save which shares have pages')
      }
    }
    this.#written = this.#written.then(write, write)
    return this.#written
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  await using file = await open(path, 'w', 0o600)
  await file.writeFile(text)
  await file.sync()
}

function parsed(text: string, path: string): Ticket[] {
  try {
    const list: unknown = JSON.parse(text)
    if (Array.isArray(list) && list.every(isTicket)) return list
  } catch {
    // the same answer as for JSON of another shape
  }
  throw new ShareError('BAD_CONFIG', `${path} is damaged`, 'delete it: links to pages end, shares stay')
}

function isTicket(value: unknown): value is Ticket {
  if (typeof value !== 'object' || value === null) return false
  const { token, root, expires } = value as Partial<Record<keyof Ticket, unknown>>
  const ends = expires === undefined || typeof expires === 'number'
  return typeof token === 'string' && TOKEN.test(token) && typeof root === 'string' && ends
}
