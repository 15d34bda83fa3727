/** What the page makes of what comes: from a node that is right, one that is cut off, and one that lies. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CID } from 'multiformats/cid'
import { pageAnswer } from '../../src/gateway/page-answers.ts'
import { checkedBytes } from '../../src/page/checked-file.ts'
import { Receipt } from '../../src/page/receipt.ts'
import { Lost } from '../../src/page/remote.ts'
import { listShare, type SharedFile } from '../../src/page/shared-files.ts'
import type { Sink } from '../../src/page/sink.ts'
import { Speed } from '../../src/page/speed.ts'
import { sayingOf } from '../../src/page/words.ts'
import { Blocks } from './content-dags.ts'

const forever = new AbortController().signal

/** How the next answer of blocks is spoilt, and what was asked for. */
class Spoilt {
  readonly blocks = new Blocks()
  readonly asked: string[] = []
  /** Turns the bytes of an answer into others. */
  spoil: (bytes: Buffer) => Buffer = (bytes) => bytes
  /** The answer breaks off after so many bytes; once. */
  cut: number | undefined
  readonly #root: () => CID

  constructor(root: () => CID) {
    this.#root = root
  }

  async *#ask(path: string[], query = ''): AsyncGenerator<Uint8Array> {
    this.asked.push(`${path.join('/')}${query}`)
    const get = async (cid: CID): Promise<Uint8Array> => this.blocks.block(cid)
    const { body } = await pageAnswer({
      root: this.#root(),
      name: '',
      path,
      query: new URLSearchParams(query),
      headers: {},
      blocks: { node: get, block: get },
      signal: forever,
    })
    const whole = Buffer.concat(await Array.fromAsync(body?.() ?? []))
    const bytes = path[0] === 'blocks' ? this.spoil(whole) : whole
    const { cut } = this
    this.cut = undefined
    for (let at = 0; at < Math.min(bytes.length, cut ?? bytes.length); at += 10)
      yield bytes.subarray(at, at + 10)
    if (cut !== undefined) throw new Lost('cut')
  }

  tree(): AsyncGenerator<Uint8Array> {
    return this.#ask(['tree'])
  }

  readonly blocksOf = (path: string, from: number) =>
    this.#ask(['blocks', ...path.split('/')], `?from=${from}`)
}

/** A file of two levels: twelve leaves of ten bytes, some alike, a part without bytes, and an inline one. */
function makeFile(blocks: Blocks): { cid: CID; text: string } {
  const texts = Array.from({ length: 12 }, (_, at) => `part ${at % 5}....`.slice(0, 10))
  const leaves = texts.map((text) => ({ cid: blocks.raw(text), size: 10 }))
  const empty = { cid: blocks.raw(''), size: 0 }
  const halves = [leaves.slice(0, 7), [empty, ...leaves.slice(7)]].map((links) => ({
    cid: blocks.file({ links }),
    size: links.reduce((sum, { size }) => sum + size, 0),
  }))
  return { cid: blocks.file({ data: 'inline', links: halves }), text: `inline${texts.join('')}` }
}

function shared(): {
  remote: { tree: () => AsyncGenerator<Uint8Array>; blocks: Spoilt['blocksOf'] }
  spoilt: Spoilt
  root: CID
  text: string
} {
  const holder: { root?: CID } = {}
  const spoilt = new Spoilt(() => holder.root ?? assert.fail())
  const { cid, text } = makeFile(spoilt.blocks)
  const { blocks } = spoilt
  const inner = blocks.directory({ 'a file': cid, small: blocks.raw('small') })
  holder.root = blocks.directory({ d: inner, empty: blocks.raw(''), link: blocks.symlink('d/small') })
  return { remote: { tree: () => spoilt.tree(), blocks: spoilt.blocksOf }, spoilt, root: holder.root, text }
}

const textOf = async (bytes: AsyncIterable<Uint8Array>): Promise<string> =>
  Buffer.concat(await Array.fromAsync(bytes)).toString()

async function fileOf({ remote, root }: ReturnType<typeof shared>): Promise<SharedFile> {
  const { files } = await listShare(root, remote, forever)
  return files.find(({ path }) => path === 'd/a file') ?? assert.fail()
}

class MemorySink implements Sink {
  readonly chunks: Uint8Array[] = []
  done: 'finished' | 'discarded' | undefined
  full = Number.POSITIVE_INFINITY

  get at(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0)
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.at + bytes.length > this.full) throw new DOMException('full', 'QuotaExceededError')
    this.chunks.push(bytes)
  }

  async flush(): Promise<void> {}

  async finish(): Promise<void> {
    this.done = 'finished'
  }

  async discard(): Promise<void> {
    this.done = 'discarded'
  }
}

describe('the list', () => {
  test('is of the files, with their sizes, from blocks that were checked', async () => {
    const { remote, root, text } = shared()
    const { files, isDirectory, symlinks } = await listShare(root, remote, forever)
    assert.deepEqual(
      files.map(({ path, size }) => [path, size]),
      [
        ['d/a file', text.length],
        ['d/small', 5],
        ['empty', 0],
      ],
    )
    assert.deepEqual([isDirectory, symlinks], [true, 1])
  })

  test('of one file is that file, of one block or of many', async () => {
    const spoilt = new Spoilt(() => root)
    let root = spoilt.blocks.raw('one block')
    const list = () => listShare(root, { tree: () => spoilt.tree() }, forever)
    assert.deepEqual((await list()).files, [{ kind: 'file', path: '', cid: root, size: 9 }])
    root = makeFile(spoilt.blocks).cid
    const { files, isDirectory } = await list()
    assert.deepEqual([files.length, files[0]?.size, isDirectory], [1, 126, false])
  })

  test('is not of what the link does not name, and has no names that lead out', async () => {
    const { remote, spoilt } = shared()
    const other = spoilt.blocks.directory({})
    await assert.rejects(listShare(other, remote, forever), {
      code: 'BAD_CONTENT',
      message: /something else/,
    })
    for (const name of ['..', 'a/b', 'a\u0000b']) {
      const sly = new Spoilt(() => root)
      const root = sly.blocks.directory({ [name]: sly.blocks.raw('x') })
      await assert.rejects(listShare(root, { tree: () => sly.tree() }, forever), { code: 'BAD_CONTENT' })
    }
  })
})

describe('a file', () => {
  test('comes whole, and from any byte on', async () => {
    const share = shared()
    const file = await fileOf(share)
    for (const from of [0, 3, 6, 7, 66, 75, 125, 126])
      assert.equal(
        await textOf(checkedBytes(file, from, share.remote, forever)),
        share.text.slice(from),
        `${from}`,
      )
  })

  test('with a byte of an answer turned over, wherever, gives nothing false', async () => {
    const share = shared()
    const file = await fileOf(share)
    const length = (await textOf(share.remote.blocks(file.path, 0))).length
    let refused = 0
    // a prime: every place in a section has its turn
    for (let at = 0; at < length; at += 7) {
      share.spoilt.spoil = (bytes) =>
        Buffer.from(bytes.map((byte, place) => (place === at ? byte ^ 1 : byte)))
      let got = ''
      try {
        for await (const bytes of checkedBytes(file, 0, share.remote, forever))
          got += Buffer.from(bytes).toString()
        assert.equal(got, share.text)
      } catch (thrown) {
        if (thrown instanceof assert.AssertionError) throw thrown
        assert.ok(share.text.startsWith(got), `byte ${at}`)
        refused++
      }
    }
    assert.ok(refused > length / 7 / 2, `${refused} of ${length}`)
  })

  test('that is not as long as its directory says is refused', async () => {
    const { remote } = shared()
    const share = shared()
    const file = await fileOf(share)
    for (const size of [file.size - 1, file.size + 1])
      await assert.rejects(textOf(checkedBytes({ ...file, size }, 0, remote, forever)), {
        code: 'BAD_CONTENT',
      })
  })
})

describe('a download', () => {
  async function begun(change: (share: ReturnType<typeof shared>, sink: MemorySink) => void) {
    const share = shared()
    const sink = new MemorySink()
    const phases: string[] = []
    const receipt: Receipt = new Receipt(await fileOf(share), share.remote, () => phases.push(receipt.phase))
    change(share, sink)
    return { share, sink, phases, receipt }
  }

  test('is over when all is there', async () => {
    const { share, sink, phases, receipt } = await begun(() => {})
    await receipt.receive(sink)
    assert.deepEqual([sink.text, sink.done], [share.text, 'finished'])
    assert.deepEqual(phases, ['receiving', 'saving', 'saved'])
  })

  test('that is cut goes on from what it has', async () => {
    const { share, sink, phases, receipt } = await begun(({ spoilt }) => {
      spoilt.cut = 700
    })
    await receipt.receive(sink)
    assert.equal(sink.text, share.text)
    assert.deepEqual(phases, ['receiving', 'lost', 'receiving', 'saving', 'saved'])
    const from = Number(share.spoilt.asked.at(-1)?.split('=')[1])
    assert.ok(from > 0 && from < share.text.length, `${from}`)
  })

  test('of wrong bytes is refused for good, and not finished', async () => {
    const { sink, phases, receipt } = await begun(({ spoilt }) => {
      spoilt.spoil = (bytes) => Buffer.from(bytes.toString('latin1').replace('part 4', 'part x'), 'latin1')
    })
    await receipt.receive(sink)
    assert.deepEqual(
      [sink.done, receipt.phase, receipt.error?.code],
      [undefined, 'refused', 'VERIFICATION_FAILED'],
    )
    assert.ok(!sink.text.includes('part x'))
    assert.match(
      sayingOf(receipt).text,
      /^Refused\. What came is not what the link names\..* Nothing was saved\.$/,
    )
    await receipt.discard()
    assert.deepEqual([sink.done, receipt.phase, phases.includes('saved')], ['discarded', 'idle', false])
  })

  test('for which there is no room stops, and goes on when there is', async () => {
    const { share, sink, receipt } = await begun((_, sink) => {
      sink.full = 60
    })
    await receipt.receive(sink)
    assert.deepEqual([receipt.phase, receipt.error?.code], ['paused', 'DISK_FULL'])
    assert.match(
      sayingOf(receipt).text,
      /^56 B of 126 B\. There is no more room for it\. Free some space, then go on/,
    )
    sink.full = 1000
    await receipt.receive()
    assert.deepEqual([sink.text, receipt.phase], [share.text, 'saved'])
  })

  test('stops where the user says so', async () => {
    const { share, sink, receipt } = await begun(() => {})
    const write = sink.write.bind(sink)
    sink.write = async (bytes) => {
      await write(bytes)
      if (sink.at > 50) receipt.pause()
    }
    await receipt.receive(sink)
    assert.deepEqual([receipt.phase, receipt.error], ['paused', undefined])
    assert.ok(sink.at < share.text.length)
    sink.write = write
    await receipt.receive()
    assert.equal(sink.text, share.text)
  })
})

test('speed is of the last seconds', () => {
  const speed = new Speed()
  assert.equal(speed.rate, undefined)
  for (let second = 0; second <= 10; second++)
    speed.sample(second * 1000, second < 5 ? second * 100 : 500 + (second - 5) * 1000)
  assert.equal(speed.rate, 1000)
  speed.forget()
  assert.equal(speed.rate, undefined)
})
