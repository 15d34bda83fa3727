/** Loaded into a process before the program (`--import`): its clock is ahead or behind by the milliseconds that a file says. */
import { readFileSync } from 'node:fs'

/** The file is read so often, in ms. */
const LOOK_MS = 100

const file = process.env.SHIFTED_CLOCK
const RealDate = Date
let offset = 0

globalThis.Date = class extends RealDate {
  constructor(...args: ConstructorParameters<typeof RealDate> | []) {
    if (args.length === 0) super(RealDate.now() + offset)
    else super(...(args as ConstructorParameters<typeof RealDate>))
  }

  static override now(): number {
    return RealDate.now() + offset
  }
} as DateConstructor

if (file !== undefined) {
  const look = (): void => {
    offset = Number(readFileSync(file, 'utf8'))
  }
  look()
  setInterval(look, LOOK_MS).unref()
}
