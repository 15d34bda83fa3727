/**
 * What a BitTorrent client asks of us. Blocks that it asks for in one go and that lie side by side are one request to the
 * scheduler: at 16 KiB each, most of the work would otherwise be counting. Each block is answered once, by its data or by
 * a reject. Two requests of the same bytes are answered one after the other.
 */
import type { Span } from '../../exchange/peer-wire/messages.ts'
import { WireViolation } from '../../exchange/peer-wire/violation.ts'
import type { PieceSpan } from './asking.ts'

/** Of one request to the scheduler: a sixteenth of what counts as a whole send there, or four. */
const MOST_RUN_BYTES = 256 << 10

/** Requests that we say that we take, and those that are too many: libtorrent may have 2,000 open. */
export const REQUESTS_TAKEN = 500
const MOST_REQUESTS = 4_000

/** `asked`: not granted yet. `reading`: its bytes are being read. `ready`: they wait to leave. */
type RunState = 'forming' | 'later' | 'asked' | 'reading' | 'ready' | 'over'

export interface Run {
  /** What the scheduler knows it by; the length is that of its blocks. */
  readonly piece: number
  readonly begin: number
  readonly index: number
  readonly at: number
  readonly blocks: readonly Span[]
  readonly state: RunState
}

interface OpenRun extends Run {
  state: RunState
  readonly blocks: Span[]
  end: number
  data: Uint8Array | undefined
  /** Blocks before this have left, or were turned down. */
  left: number
  readonly dropped: Set<Span>
}

/** A block to send. */
export interface Answer {
  readonly run: Run
  readonly block: Span
  /** Undefined for one that is not wanted any more: it is to be rejected. */
  readonly data: Uint8Array | undefined
}

export class Answering {
  readonly #runs = new Map<string, OpenRun[]>()
  readonly #ready: OpenRun[] = []
  #forming: OpenRun | undefined
  #count = 0

  get ready(): boolean {
    return this.#ready.length > 0
  }

  /**
   * A block is asked for; `piece` and `begin` say where it begins in the swarm.
   * @throws WireViolation for more than anybody should have open
   */
  add(block: Span, { piece, begin }: { readonly piece: number; readonly begin: number }): void {
    if (++this.#count > MOST_REQUESTS)
      throw new WireViolation('too-many-requests', `more than ${MOST_REQUESTS} requests`)
    const forming = this.#forming
    const follows = forming?.index === block.index && forming.end === block.begin
    if (follows && forming.end + block.length - forming.at <= MOST_RUN_BYTES) {
      forming.blocks.push(block)
      forming.end += block.length
      return
    }
    this.#end()
    this.#forming = {
      piece,
      begin,
      index: block.index,
      at: block.begin,
      blocks: [block],
      state: 'forming',
      end: block.begin + block.length,
      data: undefined,
      left: 0,
      dropped: new Set(),
    }
  }

  /** No more comes for now: the runs that the scheduler is to be told of. */
  *formed(): Generator<PieceSpan> {
    this.#end()
    for (const runs of this.#runs.values()) {
      const [first] = runs
      if (first?.state !== 'later') continue
      first.state = 'asked'
      yield spanOf(first)
    }
  }

  /** The scheduler grants a request: its bytes are to be read. Undefined when there is none any more. */
  grant({ piece, begin }: Pick<PieceSpan, 'piece' | 'begin'>): Run | undefined {
    const run = this.#first(piece, begin)
    if (run?.state !== 'asked') return undefined
    run.state = 'reading'
    return run
  }

  /** They are here. False when nobody wants them any more. */
  give(run: Run, data: Uint8Array): boolean {
    const open = run as OpenRun
    if (open.state !== 'reading') return false
    open.state = 'ready'
    open.data = data
    this.#ready.push(open)
    return true
  }

  /** Turns a run down. Returns the blocks to be rejected. */
  refuse({ piece, begin }: Pick<PieceSpan, 'piece' | 'begin'>): readonly Span[] {
    const run = this.#first(piece, begin)
    return run === undefined || run.state === 'ready' ? [] : this.#drop(run)
  }

  /** Turns down what is not granted yet. */
  refuseAll(): readonly Span[] {
    this.#end()
    const waiting = [...this.#runs.values()]
      .flat()
      .filter(({ state }) => state === 'asked' || state === 'later')
    return waiting.flatMap((run) => this.#drop(run))
  }

  /** A block is not wanted any more. `over`: the request that with it is none any more, and of which the scheduler knows. */
  cancel(span: Span): { readonly over?: PieceSpan; readonly rejected: readonly Span[] } {
    this.#end()
    const { run, block } = this.#find(span)
    if (run === undefined || block === undefined) return { rejected: [] }
    run.dropped.add(block)
    // what is granted is answered in its order
    if (run.state === 'reading' || run.state === 'ready' || run.dropped.size < run.blocks.length)
      return { rejected: [] }
    const known = run.state === 'asked'
    return { rejected: this.#drop(run), ...(known && { over: { ...spanOf(run), length: 0 } }) }
  }

  /** The next block that is to leave. */
  next(): Answer | undefined {
    const [run] = this.#ready
    const block = run?.blocks[run.left]
    if (run === undefined || block === undefined) return undefined
    run.left++
    this.#count--
    const from = block.begin - run.at
    const data = run.dropped.has(block) ? undefined : run.data?.subarray(from, from + block.length)
    if (run.left === run.blocks.length) {
      this.#ready.shift()
      this.#over(run)
    }
    return { run, block, data }
  }

  /** An open block, and its run. */
  #find({ index, begin, length }: Span): { run?: OpenRun; block?: Span } {
    for (const runs of this.#runs.values())
      for (const run of runs) {
        if (run.index !== index || begin < run.at || begin >= run.end) continue
        const block = run.blocks.find((each) => each.begin === begin && each.length === length)
        if (block === undefined || run.dropped.has(block) || run.blocks.indexOf(block) < run.left) continue
        return { run, block }
      }
    return {}
  }

  #drop(run: OpenRun): readonly Span[] {
    this.#count -= run.blocks.length - run.left
    const blocks = run.blocks.slice(run.left)
    this.#over(run)
    return blocks
  }

  #over(run: OpenRun): void {
    run.state = 'over'
    run.data = undefined
    const key = keyOf(run.piece, run.begin)
    const left = (this.#runs.get(key) ?? []).filter((each) => each !== run)
    if (left.length > 0) this.#runs.set(key, left)
    else this.#runs.delete(key)
  }

  #end(): void {
    const formed = this.#forming
    this.#forming = undefined
    if (formed === undefined) return
    formed.state = 'later'
    const key = keyOf(formed.piece, formed.begin)
    this.#runs.set(key, [...(this.#runs.get(key) ?? []), formed])
  }

  #first(piece: number, begin: number): OpenRun | undefined {
    return this.#runs.get(keyOf(piece, begin))?.[0]
  }
}

const keyOf = (piece: number, begin: number): string => `${piece} ${begin}`

function spanOf({ piece, begin, at, end }: OpenRun): PieceSpan {
  return { piece, begin, length: end - at }
}
