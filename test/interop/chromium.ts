/**
 * A headless Chromium, driven by its DevTools protocol (https://chromedevtools.github.io/devtools-protocol/) over the pipe
 * that it opens for that: a tab of its own for each page, with a directory for downloads.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { until } from '../e2e/homes.ts'
import { installed } from './installed.ts'

interface Message {
  readonly id?: number
  readonly method?: string
  readonly sessionId?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

type Result = Record<string, unknown>

/** Where its pipe is: descriptors 3, which it reads, and 4, which it writes. */
const [TO, FROM] = [3, 4]

/** A name for this machine that makes a page an unencrypted one, as pages at other machines' addresses are. */
export const PLAIN_HOST = 'share.test'

const FLAGS = [
  '--headless=new',
  // the tests may run as root, in a container
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--remote-debugging-pipe',
  `--host-resolver-rules=MAP ${PLAIN_HOST} 127.0.0.1`,
]

export class Chromium {
  /** Where downloads go. */
  readonly downloads: string
  readonly #process: ChildProcess
  readonly #asked = new Map<number, PromiseWithResolvers<Result>>()
  readonly #listeners = new Set<(message: Message) => void>()
  #count = 0

  private constructor(child: ChildProcess, downloads: string) {
    this.#process = child
    this.downloads = downloads
    void this.#listen(child.stdio[FROM] as Readable)
  }

  /** @param work a directory for its profile and downloads */
  static async start(work: string): Promise<Chromium> {
    const program = await installed('chromium')
    const downloads = join(work, 'downloads')
    await mkdir(downloads, { recursive: true })
    const child = spawn(program, [...FLAGS, `--user-data-dir=${join(work, 'profile')}`, 'about:blank'], {
      // a group of its own: its processes end together
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    })
    const chromium = new Chromium(child, downloads)
    await chromium.call('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads })
    return chromium
  }

  async version(): Promise<string> {
    return String((await this.call('Browser.getVersion')).product)
  }

  async open(url: string, options: { readonly before?: string } = {}): Promise<Tab> {
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true })
    const tab = new Tab(this, String(sessionId), String(targetId))
    await tab.call('Page.enable')
    await tab.call('Runtime.enable')
    await tab.call('Log.enable')
    if (options.before !== undefined)
      await tab.call('Page.addScriptToEvaluateOnNewDocument', { source: options.before })
    await tab.call('Page.navigate', { url })
    return tab
  }

  call(method: string, params: object = {}, sessionId?: string): Promise<Result> {
    const id = ++this.#count
    const asked = Promise.withResolvers<Result>()
    this.#asked.set(id, asked)
    const text = JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })
    ;(this.#process.stdio[TO] as Writable).write(`${text}\0`)
    return asked.promise
  }

  onMessage(listener: (message: Message) => void): void {
    this.#listeners.add(listener)
  }

  async close(): Promise<void> {
    const { pid } = this.#process
    if (pid === undefined || this.#process.exitCode !== null) return
    const closed = once(this.#process, 'close')
    process.kill(-pid, 'SIGKILL')
    await closed
  }

  async #listen(from: Readable): Promise<void> {
    let held = ''
    for await (const chunk of from.setEncoding('utf8')) {
      const messages = `${held}${chunk}`.split('\0')
      held = messages.pop() ?? ''
      for (const message of messages) this.#came(JSON.parse(message))
    }
    for (const asked of this.#asked.values()) asked.reject(new Error('Chromium has ended'))
  }

  #came(message: Message): void {
    const asked = message.id === undefined ? undefined : this.#asked.get(message.id)
    if (message.id !== undefined) this.#asked.delete(message.id)
    if (message.error !== undefined) asked?.reject(new Error(message.error.message))
    else asked?.resolve(message.result ?? {})
    if (message.method !== undefined) for (const listener of this.#listeners) listener(message)
  }
}

export class Tab {
  /** What the page's console and Chromium's own complaints said. */
  readonly complaints: string[] = []
  readonly #chromium: Chromium
  readonly #session: string
  readonly #target: string

  constructor(chromium: Chromium, session: string, target: string) {
    this.#chromium = chromium
    this.#session = session
    this.#target = target
    chromium.onMessage(({ sessionId, method, params }) => {
      if (sessionId !== session) return
      if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params))
      if (method === 'Log.entryAdded') this.complaints.push(JSON.stringify(params?.entry))
    })
  }

  call(method: string, params: object = {}): Promise<Result> {
    return this.#chromium.call(method, params, this.#session)
  }

  /** The value of an expression in the page, awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true }
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', options)
    assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails))
    return (result as { value: T }).value
  }

  /** The text of the first element that matches, or of the whole page. */
  text(selector = 'main'): Promise<string> {
    return this.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`)
  }

  /** Waits until the text of an element matches. */
  async shows(wanted: RegExp, selector = 'main'): Promise<string> {
    let text = ''
    try {
      return await until(`the page shows ${wanted}`, async () => {
        text = await this.text(selector)
        return wanted.test(text) ? text : undefined
      })
    } catch (cause) {
      throw new Error(`the page shows no ${wanted} but: ${text}\n${this.complaints.join('\n')}`, { cause })
    }
  }

  /** Presses the button with this label by the mouse, as a user does: scripts may do less. */
  async press(label: string): Promise<void> {
    const wanted = JSON.stringify(label)
    const place = await until(`there is a button "${label}"`, () =>
      this.evaluate<{ x: number; y: number } | false>(`{
        const found = [...document.querySelectorAll('button')].find((each) => each.ariaLabel === ${wanted})
        found?.scrollIntoView({ block: 'center' })
        const { x = 0, y = 0, width = 0, height = 0 } = found?.getBoundingClientRect() ?? {}
        found !== undefined && { x: x + width / 2, y: y + height / 2 }
      }`),
    )
    const click = { ...place, button: 'left', clickCount: 1 }
    await this.call('Page.bringToFront')
    await this.call('Input.dispatchMouseEvent', { type: 'mousePressed', ...click })
    await this.call('Input.dispatchMouseEvent', { type: 'mouseReleased', ...click })
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.call('Page.captureScreenshot', { format: 'png' })
    return Buffer.from(String(data), 'base64')
  }

  async close(): Promise<void> {
    await this.#chromium.call('Target.closeTarget', { targetId: this.#target })
  }
}
