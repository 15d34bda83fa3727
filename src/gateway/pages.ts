/**
 * Pages by which whoever has only a browser downloads a share. Nothing listens while there is none: the first page opens
 * the port, the end of the last one closes it.
 */
import { join } from 'node:path'
import { parseCid, readCid, rootKeyOf } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import type { Node } from '../node/types.ts'
import { ownAddresses } from './own-addresses.ts'
import type { PageServer } from './page-server.ts'
import { type Ticket, Tickets } from './tickets.ts'

export interface PageInfo {
  readonly cid: string
  readonly name: string
  /** The address to hand out: the first of `urls`. Its part after `#` is the CID, which no server is told. */
  readonly url: string
  /** One for each address of this machine. */
  readonly urls: readonly string[]
  /** When it ends by itself, in ISO 8601. */
  readonly expires: string | null
}

export interface PagesOptions {
  readonly node: Pick<Node, 'blocks' | 'status' | 'on'>
  readonly home: string
  /** Where to listen; undefined where pages are turned off. Host `0.0.0.0` or `::` is every interface. */
  readonly address: { readonly host: string; readonly port: number } | undefined
  /** How others reach that address, where they do by another name: a proxy's, or a forwarded port's. */
  readonly url: string | undefined
  readonly log: (line: string) => void
}

/** As long as a timer can be set for, in ms. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

export class Pages {
  readonly #options: PagesOptions
  readonly #tickets: Tickets
  readonly #forget: () => void
  #server: PageServer | undefined
  #ending: NodeJS.Timeout | undefined
  /** Opening and closing follow each other. */
  #turn: Promise<void> = Promise.resolve()

  private constructor(options: PagesOptions, tickets: Tickets) {
    this.#options = options
    this.#tickets = tickets
    // what is shared no more has no page either
    this.#forget = options.node.on('share', ({ cid, share }) => {
      if (share === undefined) void this.revoke(cid).catch((error: unknown) => this.#complain(error))
    })
  }

  /** Goes on with the pages of the last run. A port that is taken then is told to the log. */
  static async open(options: PagesOptions): Promise<Pages> {
    const pages = new Pages(options, await Tickets.load(join(options.home, 'pages.json')))
    await pages.#settle().catch((error: unknown) => pages.#complain(error))
    return pages
  }

  /**
   * The page of a share, made where it has none. @param lasts ms from now until it ends
   * @throws ShareError NOT_FOUND, CONFLICT for a share that is not all here, or when the port is taken; UNSUPPORTED
   */
  async issue(cid: string, lasts?: number): Promise<PageInfo> {
    const share = await this.#share(cid)
    if (share.state !== 'seeding') {
      const message = `${share.name} is ${share.state}: a page needs all of it here, and unchanged`
      throw new ShareError('CONFLICT', message, 'see `share status`, then run it again')
    }
    if (this.#options.address === undefined) {
      const hint = 'share config set pages.listen default && share daemon stop, then run it again'
      throw new ShareError('UNSUPPORTED', 'pages for browsers are turned off', hint)
    }
    const root = rootKeyOf(parseCid(share.cid))
    const known = this.#tickets.all().some((ticket) => ticket.root === root)
    const ticket = await this.#tickets.issue(root, lasts === undefined ? undefined : Date.now() + lasts)
    try {
      await this.#settle()
    } catch (thrown) {
      if (!known) await this.#tickets.revoke(root)
      throw thrown
    }
    return this.#describe(ticket, share.name)
  }

  /** Ends the page of a share, at once. @throws ShareError BAD_CID, NOT_FOUND when it has none */
  async revoke(cid: string): Promise<void> {
    // a torrent without a CID yet is a share too, and never has a page
    const root = rootKeyOf(readCid(cid))
    const had = await this.#tickets.revoke(root)
    await this.#settle()
    if (!had) throw new ShareError('NOT_FOUND', `${cid} has no page`, '`share page` lists those that do')
  }

  /** Listened on; undefined while there is no page. */
  get port(): number | undefined {
    return this.#server?.port
  }

  async all(): Promise<PageInfo[]> {
    const shares = await this.#options.node.status()
    return Promise.all(
      this.#tickets.all().map((ticket) => {
        const name = shares.find(({ cid }) => cid === ticket.root)?.name ?? ticket.root
        return this.#describe(ticket, name)
      }),
    )
  }

  async close(): Promise<void> {
    this.#forget()
    clearTimeout(this.#ending)
    await this.#tickets.idle()
    await this.#turn.catch(() => {})
    await this.#server?.close()
    this.#server = undefined
  }

  async #share(cid: string) {
    const root = rootKeyOf(parseCid(cid))
    const share = (await this.#options.node.status()).find((each) => each.cid === root)
    if (share !== undefined) return share
    throw new ShareError('NOT_FOUND', `there is no share ${cid} here`, '`share status` lists them')
  }

  /** Listens while there are pages, and only then. */
  #settle(): Promise<void> {
    this.#turn = this.#turn.catch(() => {}).then(() => this.#listenOrNot())
    return this.#turn
  }

  async #listenOrNot(): Promise<void> {
    const { node, address, url, log } = this.#options
    const tickets = this.#tickets.all()
    this.#waitForEnd(tickets)
    if (tickets.length === 0 || address === undefined) {
      await this.#server?.close()
      this.#server = undefined
      return
    }
    if (this.#server !== undefined) return
    const names = url === undefined ? [] : [new URL(url).hostname]
    const find = (token: string): Ticket | undefined => this.#tickets.find(token)
    const { servePages } = await import('./page-server.ts')
    this.#server = await servePages({ node, address, names, find, log })
    log(`pages at ${address.host}, port ${this.#server.port}`)
  }

  #waitForEnd(tickets: readonly Ticket[]): void {
    clearTimeout(this.#ending)
    const end = Math.min(...tickets.map(({ expires }) => expires ?? Number.POSITIVE_INFINITY))
    if (end === Number.POSITIVE_INFINITY) return
    const settle = (): void => void this.#settle().catch((error: unknown) => this.#complain(error))
    this.#ending = setTimeout(settle, Math.min(end - Date.now() + 1, LONGEST_WAIT_MS)).unref()
  }

  async #describe({ token, root, expires }: Ticket, name: string): Promise<PageInfo> {
    const { address, url } = this.#options
    const port = this.#server?.port ?? address?.port ?? 0
    const bases =
      url === undefined
        ? (await ownAddresses(address?.host ?? '')).map((host) => `http://${host}:${port}`)
        : [url.replace(/\/+$/, '')]
    const urls = bases.map((base) => `${base}/${token}/#${root}`)
    return {
      cid: root,
      name,
      url: urls[0] ?? '',
      urls,
      expires: expires === undefined ? null : new Date(expires).toISOString(),
    }
  }

  #complain(thrown: unknown): void {
    const error = ShareError.from(thrown)
    if (error.code !== 'NOT_FOUND') this.#options.log(`pages: ${error.message}`)
  }
}
