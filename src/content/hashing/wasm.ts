/** As much of WebAssembly's binary format as a loop over vectors takes (WebAssembly 2.0, sections 5.2 to 5.5). */

export type Code = readonly number[]

/** Types of values. */
export const I32 = 0x7f
const V128 = 0x7b

/** An unsigned number (LEB128). */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

function signed(value: number): Code {
  const fits = value >= -0x40 && value < 0x40
  return fits ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)]
}

export const localGet = (local: number): Code => [0x20, ...unsigned(local)]
export const localSet = (local: number): Code => [0x21, ...unsigned(local)]
export const i32Const = (value: number): Code => [0x41, ...signed(value)]
export const I32_ADD: Code = [0x6a]
export const I32_SUB: Code = [0x6b]

/** A loop of code that leaves a number: while it is not 0, once more. */
export const loopWhile = (body: Code): Code => [0x03, 0x40, ...body, 0x0d, 0, 0x0b]

const vector = (opcode: number): Code => [0xfd, ...unsigned(opcode)]

/** The address is on the stack, `offset` is added to it. */
export const v128Load = (offset: number): Code => [...vector(0x00), 0, ...unsigned(offset)]
export const v128Store = (offset: number): Code => [...vector(0x0b), 0, ...unsigned(offset)]
export const V128_OR = vector(0x50)
export const V128_XOR = vector(0x51)
/** Bits of the first where the third is set, of the second elsewhere. */
export const V128_BITSELECT = vector(0x52)
export const I32X4_SHL = vector(0xab)
export const I32X4_SHR_U = vector(0xad)
export const I32X4_ADD = vector(0xae)

/** Sixteen bytes of two vectors: 0 to 15 of the first, 16 to 31 of the second. */
export const shuffle = (lanes: readonly number[]): Code => [...vector(0x0d), ...lanes]

const HEADER: Code = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content]
const name = (text: string): Code => [...unsigned(text.length), ...Buffer.from(text)]

export interface OneFunction {
  /** Types of what it takes; it returns nothing. */
  readonly parameters: readonly number[]
  /** How many vectors it keeps, as the locals that follow its parameters. */
  readonly vectors: number
  readonly body: Code
}

/** A module that exports one function, `run`, over the memory that it is given as `host.memory`. */
export function moduleOf({ parameters, vectors, body }: OneFunction): Uint8Array<ArrayBuffer> {
  const code: Code = [1, ...unsigned(vectors), V128, ...body, 0x0b]
  return Uint8Array.from([
    ...HEADER,
    ...section(1, [1, 0x60, ...unsigned(parameters.length), ...parameters, 0]),
    ...section(2, [1, ...name('host'), ...name('memory'), 0x02, 0x00, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('run'), 0x00, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ])
}
