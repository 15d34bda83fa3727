/** A file in the list: its name and size, what can be done with it, and how far it is. */
import type { ShareError } from '../core/errors.ts'
import { formatBytes } from '../core/units.ts'
import { element } from './element.ts'
import type { Phase, Receipt } from './receipt.ts'
import { Speed } from './speed.ts'
import { type Saying, sayingOf, sentences } from './words.ts'

/** How often a running download shows how far it is, in ms. */
const REFRESH_MS = 250

export interface RowActions {
  /** Begins, or goes on after a pause. */
  readonly start: () => void
  readonly pause: () => void
  readonly discard: () => void
}

type Action = keyof RowActions

/** The buttons of each phase, with their words. */
const BUTTONS: Readonly<Record<Phase, readonly (readonly [Action, string])[]>> = {
  idle: [['start', 'Download']],
  receiving: [['pause', 'Pause']],
  lost: [['pause', 'Pause']],
  paused: [
    ['start', 'Resume'],
    ['discard', 'Discard'],
  ],
  saving: [],
  saved: [['start', 'Download again']],
  refused: [['discard', 'Discard']],
}

export class Row {
  readonly item = element('li')
  readonly #actions: RowActions
  readonly #name: string
  readonly #buttons = element('span', { className: 'actions' })
  readonly #progress = element('progress', { max: 1, value: 0, hidden: true })
  readonly #news = element('p', { className: 'news', role: 'status' })
  readonly #speed = new Speed()
  #phase: Phase | undefined
  #timer: ReturnType<typeof setInterval> | undefined

  /** @param folder that it lies in, with a slash at its end, or nothing */
  constructor(folder: string, name: string, size: number, actions: RowActions) {
    this.#actions = actions
    this.#name = name
    this.#progress.ariaLabel = name
    const title = element('span', { className: 'file' })
    title.append(
      element('span', { className: 'folder', textContent: folder }),
      name,
      ' ',
      element('span', { className: 'size', textContent: formatBytes(size) }),
    )
    this.item.append(title, this.#buttons, this.#progress, this.#news)
  }

  /** Call it whenever the phase may have changed. */
  show(receipt: Receipt): void {
    const { phase } = receipt
    if (phase !== this.#phase) this.#enter(phase, receipt)
    this.#refresh(receipt)
  }

  /** Why nothing could be begun. */
  complain(error: ShareError): void {
    this.#say({ text: sentences(error), kind: 'bad' })
  }

  #enter(phase: Phase, receipt: Receipt): void {
    this.#phase = phase
    // figures that change four times a second are not read out
    this.#news.ariaLive = phase === 'receiving' ? 'off' : 'polite'
    const focused = this.#buttons.contains(document.activeElement)
    this.#buttons.replaceChildren(
      ...BUTTONS[phase].map(([action, text], at) => this.#button(action, text, at)),
    )
    if (focused) this.#buttons.querySelector('button')?.focus()
    this.#progress.hidden = phase === 'idle' || phase === 'saved' || phase === 'refused'
    clearInterval(this.#timer)
    if (phase !== 'receiving') this.#speed.forget()
    else this.#timer = setInterval(() => this.#refresh(receipt), REFRESH_MS)
  }

  #button(action: Action, text: string, at: number): HTMLButtonElement {
    const button = element('button', {
      type: 'button',
      textContent: text,
      className: at === 0 ? 'first' : '',
    })
    button.ariaLabel = `${text}: ${this.#name}`
    button.addEventListener('click', () => this.#actions[action]())
    return button
  }

  #refresh(receipt: Receipt): void {
    const { received, file, phase } = receipt
    this.#progress.value = file.size === 0 ? 1 : received / file.size
    if (phase === 'receiving') this.#speed.sample(performance.now(), received)
    this.#say(sayingOf(receipt, this.#speed.rate))
  }

  #say({ text, kind }: Saying): void {
    if (this.#news.textContent !== text) this.#news.textContent = text
    this.#news.className = `news ${kind}`.trim()
  }
}
