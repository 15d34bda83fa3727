/** The page: reads the link, lists what it names, and downloads what is asked for. */
import type { CID } from 'multiformats/cid'
import { parseCid, printable } from '../core/cid.ts'
import { ShareError } from '../core/errors.ts'
import { formatBytes } from '../core/units.ts'
import { canPickFiles, pickFile } from './disk-sink.ts'
import { byId, element } from './element.ts'
import { keepFile } from './kept-sink.ts'
import { Receipt } from './receipt.ts'
import { Lost, Remote } from './remote.ts'
import { Row } from './row.ts'
import { type Listing, listShare, type SharedFile } from './shared-files.ts'
import type { Sink } from './sink.ts'
import { errorOf, sentences } from './words.ts'

/** Rows that are made at once: a list of thousands would take seconds. */
const ROWS = 200

/** Ms until the list is asked for again. */
const RETRY_MS = 2000

/** Characters of a name: as many as file systems take, so that its ending stays. */
const MOST_NAME = 255

const remote = new Remote(new URL('.', location.href).href)
const forever = new AbortController().signal

void start()

async function start(): Promise<void> {
  try {
    const root = rootOfLink()
    byId('cid').textContent = root.toString()
    const { name, listing } = await looked(root)
    show(name, listing)
  } catch (thrown) {
    say(sentences(errorOf(thrown)), 'bad')
  }
}

/** The part after `#`, which browsers keep to themselves: whoever serves this page does not choose what is checked. */
function rootOfLink(): CID {
  const text = decodeURIComponent(location.hash.slice(1))
  if (text !== '') return parseCid(text)
  const hint = 'copy the whole link, with the part after #, or ask for it again'
  throw new ShareError('BAD_LINK', 'this link is cut off: it does not say what it names', hint)
}

/** As often as it takes for the node to answer. */
async function looked(root: CID): Promise<{ name: string; listing: Listing }> {
  for (;;) {
    try {
      const [name, listing] = await Promise.all([remote.name(forever), listShare(root, remote, forever)])
      return { name, listing }
    } catch (thrown) {
      if (!(thrown instanceof Lost)) throw thrown
      say('The sender does not answer; trying again…', 'bad')
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

function show(name: string, { files, isDirectory, symlinks }: Listing): void {
  const title = printable(name) || 'Download'
  document.title = title
  byId('name').textContent = title
  const size = formatBytes(files.reduce((sum, file) => sum + file.size, 0))
  const links = symlinks === 0 ? '' : `, and ${symlinks} symlinks, which a browser cannot save`
  say(isDirectory ? `${files.length} ${files.length === 1 ? 'file' : 'files'}, ${size}${links}` : size)
  byId('plain').textContent = isDirectory
    ? 'Download all of it as one archive (.tar), without checking'
    : 'Download without checking'
  byId('where').textContent = canPickFiles(window)
    ? 'Files are written straight to where you choose, and get their name when they are whole.'
    : "Until a file is whole it is kept in the browser's storage, for a week: this page goes on where it stopped."
  byId('unencrypted').hidden = isSecureContext
  byId('explained').hidden = false
  list(files, name)
}

function list(files: readonly SharedFile[], name: string): void {
  const more = byId('more')
  let shown = 0
  const showMore = (): void => {
    byId('files').append(...files.slice(shown, shown + ROWS).map((file) => rowOf(file, name)))
    shown += ROWS
    more.hidden = shown >= files.length
  }
  more.addEventListener('click', showMore)
  showMore()
}

function rowOf(file: SharedFile, shareName: string): HTMLElement {
  const names = file.path === '' ? [shareName] : file.path.split('/')
  const name = printable(names.at(-1) ?? '', MOST_NAME) || 'download'
  const folder = names
    .slice(0, -1)
    .map((each) => `${each}/`)
    .join('')
  const receipt = new Receipt(file, remote, () => row.show(receipt))
  // a second click while the browser still asks where to put it
  let starting = false
  const row = new Row(printable(folder), name, file.size, {
    start: () => {
      if (starting) return
      starting = true
      void begin(receipt, row, name).finally(() => {
        starting = false
      })
    },
    pause: () => receipt.pause(),
    discard: () => void receipt.discard().catch((thrown: unknown) => complain(row, thrown)),
  })
  row.show(receipt)
  return row.item
}

async function begin(receipt: Receipt, row: Row, name: string): Promise<void> {
  try {
    if (receipt.phase === 'paused') return await receipt.receive()
    const sink = await sinkFor(receipt.file, name)
    if (sink !== undefined) await receipt.receive(sink)
  } catch (thrown) {
    complain(row, thrown)
  }
}

function sinkFor(file: SharedFile, name: string): Promise<Sink | undefined> {
  if (canPickFiles(window)) return pickFile(window, name)
  return keepFile(`${file.cid}/${file.path}`, (whole) => saveAs(whole, name))
}

/** As a download of the browser's own, which takes its own hold of the bytes when it begins. */
function saveAs(whole: Blob, name: string): void {
  const url = URL.createObjectURL(whole)
  const link = element('a', { href: url, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), HANDED_OVER_MS)
}

/** Beyond the time in which a browser begins a download, asking its user where to put it included. */
const HANDED_OVER_MS = 600_000

function complain(row: Row, thrown: unknown): void {
  row.complain(errorOf(thrown))
}

function say(text: string, kind = ''): void {
  const summary = byId('summary')
  summary.textContent = text
  summary.className = kind
}
