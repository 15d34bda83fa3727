/**
 * One web server as a source of a torrent's pieces (BEP 19). What the scheduler asks for is gathered, and what lies side by
 * side in a file goes out as one request. A server that fails is asked nothing for a while; a file that it does not have,
 * or has otherwise, is never asked for again.
 */
import { fetchRange, type RangeOutcome } from '../exchange/http/range.ts'
import type { FileRun, TorrentSpace } from '../torrent/torrent-space.ts'
import { webSeedUrl } from '../torrent/web-seed-url.ts'

/** Connections to one server: as many as browsers open. */
const MOST_BATCHES = 4

/** Bytes that one batch gathers, unless one piece has more. */
const MOST_BATCH_BYTES = 4 << 20

/** After so many failures in a row it rests this long; the last one repeats. */
const RESTS_MS = [1_000, 4_000, 15_000, 60_000]

export interface WebSeedEvents {
  /** Bytes that were asked for. */
  onData(piece: number, begin: number, data: Uint8Array): void
  /** These bytes will not come. */
  onRejected(piece: number, begin: number, length: number): void
  /** It has not these pieces. */
  onLacks(pieces: readonly number[]): void
  /** It is to be asked nothing, or something again. */
  onRest(rests: boolean): void
  readonly log: (line: string) => void
}

/** Bytes of a piece that are to come: from `fed` to `planned`, of which those up to `end` are still wanted. */
interface Span {
  readonly piece: number
  readonly planned: number
  fed: number
  end: number
}

interface Batch {
  readonly spans: readonly Span[]
  readonly abort: AbortController
}

/** A part of one file, or zeros. */
type Part = FileRun

export class WebSeed {
  readonly url: string
  readonly #space: TorrentSpace
  readonly #events: WebSeedEvents
  readonly #spans = new Map<number, Span>()
  readonly #waiting: Span[] = []
  readonly #batches = new Set<Batch>()
  readonly #absent = new Set<number>()
  #failures = 0
  #rest: NodeJS.Timeout | undefined
  #held = false
  #ended = false
  /** Why it is not asked, or lacks something. */
  problem: string | undefined

  constructor(url: string, space: TorrentSpace, events: WebSeedEvents) {
    this.url = url
    this.#space = space
    this.#events = events
  }

  request(piece: number, begin: number, length: number): void {
    const span: Span = { piece, fed: begin, planned: begin + length, end: begin + length }
    this.#spans.set(piece, span)
    this.#waiting.push(span)
    // more may be asked for in the same moment
    queueMicrotask(() => this.#start())
  }

  /** The end of a request is not wanted any more. */
  cancel(piece: number, begin: number): void {
    const span = this.#spans.get(piece)
    if (span === undefined) return
    span.end = Math.min(span.end, Math.max(span.fed, begin))
    if (span.end > span.fed) return
    this.#spans.delete(piece)
    for (const batch of this.#batches)
      if (batch.spans.every((each) => each.fed >= each.end)) batch.abort.abort()
  }

  /** The disk is slow: nothing new is asked for. */
  hold(held: boolean): void {
    this.#held = held
    if (!held) this.#start()
  }

  end(): void {
    this.#ended = true
    clearTimeout(this.#rest)
    this.#spans.clear()
    this.#waiting.length = 0
    for (const { abort } of this.#batches) abort.abort()
  }

  #start(): void {
    while (!this.#ended && !this.#held && this.#rest === undefined && this.#batches.size < MOST_BATCHES) {
      const spans = this.#nextSpans()
      if (spans.length === 0) return
      const batch: Batch = { spans, abort: new AbortController() }
      this.#batches.add(batch)
      void this.#run(batch).finally(() => {
        this.#batches.delete(batch)
        this.#start()
      })
    }
  }

  /** The first that waits, and those that go on where it ends. */
  #nextSpans(): Span[] {
    const wanted = this.#waiting.filter((span) => span.end > span.fed)
    wanted.sort((one, other) => one.piece - other.piece)
    const [first] = wanted
    const spans: Span[] = []
    let bytes = 0
    for (const span of wanted) {
      const before = spans.at(-1)
      if (before !== undefined && !this.#follows(before, span)) break
      if (span !== first && bytes + span.planned - span.fed > MOST_BATCH_BYTES) break
      bytes += span.planned - span.fed
      spans.push(span)
    }
    const taken = new Set(spans)
    this.#waiting.splice(0, this.#waiting.length, ...wanted.filter((span) => !taken.has(span)))
    return spans
  }

  #follows(before: Span, span: Span): boolean {
    const isWhole = before.planned === this.#space.blockSize(before.piece) && span.fed === 0
    return isWhole && this.#space.toTorrent(span.piece) === this.#space.toTorrent(before.piece) + 1
  }

  async #run({ spans, abort }: Batch): Promise<void> {
    try {
      for (const part of this.#parts(spans)) {
        const outcome = await this.#fetch(part, { spans, abort })
        if (outcome.kind === 'whole') continue
        this.#failed(outcome, part)
        break
      }
    } catch (thrown) {
      if (!abort.signal.aborted) throw thrown
    }
    for (const span of spans) this.#over(span)
  }

  /** What is to be fetched, file by file. */
  #parts(spans: readonly Span[]): Part[] {
    const parts: Part[] = []
    for (const { piece, fed, planned } of spans) {
      for (const run of this.#space.fileRuns(piece, fed, planned - fed)) {
        const last = parts.at(-1)
        const isOn = last?.kind === 'file' && run.kind === 'file' && last.file === run.file
        if (isOn && last.offset + last.length === run.offset)
          parts[parts.length - 1] = { ...last, length: last.length + run.length }
        else parts.push(run)
      }
    }
    return parts
  }

  async #fetch(part: Part, { spans, abort }: Batch): Promise<RangeOutcome> {
    if (part.kind === 'zeros') {
      this.#feed(spans, new Uint8Array(part.length))
      return { kind: 'whole' }
    }
    if (this.#absent.has(part.file)) return { kind: 'absent', reason: this.problem ?? 'has it not' }
    const { info } = this.#space
    const outcome = await fetchRange(webSeedUrl(this.url, info, part.file), {
      offset: part.offset,
      length: part.length,
      fileSize: info.files[part.file]?.size ?? 0,
      signal: abort.signal,
      onData: (data) => {
        this.#feed(spans, data)
        const isOver = spans.every(({ fed, end }) => fed >= end)
        // the rest was handed to somebody else
        if (isOver && spans.some(({ fed, planned }) => fed < planned)) abort.abort()
      },
    })
    if (outcome.kind === 'whole') {
      this.#failures = 0
      if (this.#absent.size === 0) this.problem = undefined
    }
    return outcome
  }

  /** Bytes in the order in which they were planned. */
  #feed(spans: readonly Span[], data: Uint8Array): void {
    let rest = data
    for (const span of spans) {
      if (rest.length === 0) return
      const part = rest.subarray(0, span.planned - span.fed)
      if (part.length === 0) continue
      rest = rest.subarray(part.length)
      const begin = span.fed
      const wanted = part.subarray(0, Math.max(0, span.end - begin))
      span.fed += part.length
      if (wanted.length > 0 && this.#spans.get(span.piece) === span)
        this.#events.onData(span.piece, begin, wanted)
    }
  }

  /** Nothing more comes for it. */
  #over(span: Span): void {
    if (this.#spans.get(span.piece) !== span) return
    this.#spans.delete(span.piece)
    if (span.fed < span.end) this.#events.onRejected(span.piece, span.fed, span.end - span.fed)
  }

  #failed(outcome: Exclude<RangeOutcome, { kind: 'whole' }>, part: Part): void {
    if (outcome.kind === 'absent' && part.kind === 'file') {
      if (this.#absent.has(part.file)) return
      this.#absent.add(part.file)
      this.#say(`${outcome.reason} (${webSeedUrl(this.url, this.#space.info, part.file)})`)
      this.#events.onLacks(this.#space.piecesOf(part.file))
      return
    }
    if (this.#rest !== undefined) return
    this.#say(outcome.reason)
    const retryMs = outcome.kind === 'failed' ? outcome.retryMs : undefined
    const restMs = retryMs ?? RESTS_MS[Math.min(this.#failures, RESTS_MS.length - 1)] ?? 0
    this.#failures++
    this.#rest = setTimeout(() => {
      this.#rest = undefined
      this.#events.onRest(false)
      this.#start()
    }, restMs)
    this.#rest.unref()
    // before what is given back could be asked for again
    this.#events.onRest(true)
    for (const span of this.#waiting.splice(0)) this.#over(span)
  }

  #say(reason: string): void {
    if (this.problem !== reason) this.#events.log(`web seed ${this.url} ${reason}`)
    this.problem = reason
  }
}
