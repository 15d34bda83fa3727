/**
 * Parsers of what strangers send, given inputs that are nearly right: each gives a value, or throws the error that it
 * promises, and soon. What is kept in fixtures/fuzz is tried first, then what comes of it by chance. `FUZZ_SECONDS` is how
 * long each parser is tried; with `FUZZ_KEEP` what was found worth keeping is put among the fixtures.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPrng } from '../../../src/core/prng.ts'
import { rounds, SEED } from '../extent.ts'
import { tally } from '../tally.ts'
import { Corpus } from './corpus.ts'
import { mutated } from './mutate.ts'
import { PARSERS, type Parser } from './parsers.ts'

const SECONDS = Number(process.env.FUZZ_SECONDS ?? rounds(1, 8))

/** No input of 64 KiB may take more of the processor, in ms. */
const LONGEST_MS = 1_000

for (const [name, parser] of Object.entries(PARSERS)) {
  test(`${name}: ${SECONDS} s of inputs that are nearly right`, async (t) => {
    const corpus = new Corpus(name)
    const kept = corpus.inputs.length
    for (const input of [...parser.examples, ...corpus.inputs])
      corpus.led(input, await outcomeOf(parser, Buffer.from(input)))
    const prng = createPrng(SEED)
    const end = performance.now() + SECONDS * 1000
    let tried = kept
    for (; performance.now() < end; tried++) {
      const from = prng.below(2) === 0 || corpus.inputs.length === 0 ? parser.examples : corpus.inputs
      const input = mutated(from, prng)
      corpus.led(input, await outcomeOf(parser, input))
    }
    t.diagnostic(`seed ${SEED}, ${tried} inputs, ${kept} kept before, ${corpus.inputs.length} now`)
    if (process.env.FUZZ_KEEP !== undefined) corpus.write()
    tally(`inputs to the parser of ${name}`, tried, 'a value, or the error that is promised')
  })
}

/** The value, or the promised error. */
async function outcomeOf(parser: Parser, bytes: Buffer): Promise<unknown> {
  const start = process.cpuUsage()
  const outcome = await tried(parser, bytes)
  const { user, system } = process.cpuUsage(start)
  const took = (user + system) / 1000
  assert.ok(took < LONGEST_MS, `HOSTILE_SEED=${SEED}: ${took} ms for ${bytes.toString('base64')}`)
  return outcome
}

async function tried(parser: Parser, bytes: Buffer): Promise<unknown> {
  try {
    return await parser.parse(bytes)
  } catch (thrown) {
    if (thrown instanceof Error && parser.promises.some((kind) => thrown.constructor === kind)) return thrown
    const what = thrown instanceof Error ? thrown.stack : String(thrown)
    assert.fail(`HOSTILE_SEED=${SEED}: ${bytes.toString('base64')}: ${what}`)
  }
}
