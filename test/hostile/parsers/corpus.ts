/**
 * Inputs worth keeping of each parser, a line of base64 each in fixtures/fuzz: those that were the first to lead to some outcome, such as an error
 * or a shape of value that no input before had led to. Further ones are made of them, so that a search gets deeper.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { PARSERS } from './parsers.ts'

const DIRECTORY = new URL('../../../fixtures/fuzz/', import.meta.url).pathname

/** Of each parser, so that the fixtures stay small. */
const MOST_KEPT = 100
const MOST_BYTES = 2 << 10

/** Outcomes that are told apart. */
const MOST_SEEN = 100_000

/** How far a value is looked into. */
const DEPTH = 4
const BREADTH = 8

export class Corpus {
  readonly inputs: Uint8Array[]
  readonly #path: string
  readonly #seen = new Set<string>()

  constructor(parser: keyof typeof PARSERS) {
    this.#path = `${DIRECTORY}${parser.replaceAll(' ', '-')}.base64`
    const text = existsSync(this.#path) ? readFileSync(this.#path, 'utf8') : ''
    this.inputs = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => Buffer.from(line, 'base64'))
  }

  /** Takes note of what an input led to. */
  led(input: Uint8Array, outcome: unknown): void {
    const shape = outcome instanceof Error ? wording(outcome) : shapeOf(outcome, DEPTH)
    if (this.#seen.has(shape) || this.#seen.size === MOST_SEEN || input.length > MOST_BYTES) return
    this.#seen.add(shape)
    if (this.inputs.some((known) => Buffer.compare(known, input) === 0)) return
    // the newest are the furthest from the examples
    if (this.inputs.length === MOST_KEPT) this.inputs.splice(this.#seen.size % MOST_KEPT, 1)
    this.inputs.push(Uint8Array.from(input))
  }

  /** Puts all of them among the fixtures. */
  write(): void {
    mkdirSync(DIRECTORY, { recursive: true })
    const lines = this.inputs.map((input) => `${Buffer.from(input).toString('base64')}\n`)
    writeFileSync(this.#path, lines.sort().join(''))
  }
}

/** An error without what it quotes of the input. */
function wording({ name, message }: Error): string {
  return `${name}: ${message.replace(/[^a-zA-Z ,.:]+/g, '#').slice(0, 60)}`
}

/** What a value is made of, without its bytes. */
function shapeOf(value: unknown, depth: number): string {
  if (typeof value === 'number' || typeof value === 'bigint') return `n${Math.sign(Number(value))}`
  if (typeof value !== 'object' || value === null) return value === undefined ? '-' : typeof value
  if (value instanceof Uint8Array) return `b${Math.ceil(Math.log2(value.length + 1))}`
  if (depth === 0) return 'o'
  const parts = Array.isArray(value)
    ? value.slice(0, BREADTH).map((each) => shapeOf(each, depth - 1))
    : Object.entries(value)
        .slice(0, BREADTH)
        .map(([key, each]) => `${key}${shapeOf(each, depth - 1)}`)
  return `(${parts.join(' ')})`
}
