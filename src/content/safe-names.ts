/**
 * Names that strangers choose, checked before any path is made of them. What could lead out of a directory or
 * fool a terminal is refused everywhere; what is legal and real on Linux but cannot be written elsewhere (`aux.c`,
 * `a:b`, `Makefile` beside `makefile`) is refused just there.
 */
import { printable } from '../core/cid.ts'
import type { ShareError } from '../core/errors.ts'
import { badContent } from './bad-content.ts'

export type Platform = typeof process.platform

/** Longest name that the common file systems take, in bytes of UTF-8. */
const MAX_NAME_BYTES = 255

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being refused
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[1-9¹²³]|lpt[1-9¹²³]) *(\.|$)/i

/** In this order; the first rule that refuses a name is its reason. */
const RULES: readonly {
  readonly reason: string
  readonly on?: readonly Platform[]
  readonly refuses: (name: string) => boolean
}[] = [
  { reason: 'is empty', refuses: (name) => name === '' },
  {
    reason: 'is not valid Unicode',
    refuses: (name) => !name.isWellFormed() || name.includes('\ufffd') || name.startsWith('\ufeff'),
  },
  {
    reason: 'would leave its directory',
    refuses: (name) => name === '.' || name === '..' || name.includes('/') || name.includes('\\'),
  },
  { reason: 'contains control characters', refuses: (name) => CONTROL.test(name) },
  {
    reason: `is longer than ${MAX_NAME_BYTES} bytes`,
    refuses: (name) => Buffer.byteLength(name) > MAX_NAME_BYTES,
  },
  { reason: 'is a device name on Windows', on: ['win32'], refuses: (name) => DEVICE.test(name) },
  { reason: 'ends with a dot or a space', on: ['win32'], refuses: (name) => /[. ]$/.test(name) },
  { reason: 'is not possible on Windows', on: ['win32'], refuses: (name) => /[<>:"|?*]/.test(name) },
]

/** Why a file cannot have this name, or undefined when it can. */
export function nameProblem(name: string, platform: Platform = process.platform): string | undefined {
  return RULES.find(({ on, refuses }) => (on?.includes(platform) ?? true) && refuses(name))?.reason
}

/**
 * @param where the directory, for the message
 * @throws ShareError BAD_CONTENT
 */
export function checkName(name: string, where: string, platform: Platform = process.platform): void {
  const problem = nameProblem(name, platform)
  if (problem !== undefined) throw refusal(name, where, problem)
}

/** The names of one directory. No two may be the same file on this platform. */
export class SiblingNames {
  readonly #where: string
  readonly #fold: (name: string) => string
  readonly #seen = new Set<string>()

  constructor(where: string, platform: Platform = process.platform) {
    this.#where = where
    this.#fold = platform === 'win32' || platform === 'darwin' ? fold : (name) => name
  }

  /** @throws ShareError BAD_CONTENT when it collides with an earlier one */
  add(name: string): void {
    const key = this.#fold(name)
    if (this.#seen.has(key))
      throw refusal(
        name,
        this.#where,
        'stands there twice, or differs from another only in case or in Unicode form',
      )
    this.#seen.add(key)
  }
}

/** What Windows and macOS hold for equal: letter case, and composed or decomposed accents. */
function fold(name: string): string {
  return name.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC')
}

/**
 * Why a symlink at `path` (relative to the root) may not have this target, or undefined when it may. `..` may only
 * lead: directories on the way to a symlink are real ones, so leading `..` go where they say; after a name, which may be
 * a symlink itself, they need not, and a chain of links could climb out of the root.
 */
export function symlinkProblem(path: string, target: string): string | undefined {
  if (target === '' || CONTROL.test(target)) return 'has an unusable target'
  if (/^[/\\]|^[a-z]:|\\/i.test(target)) return 'has an absolute target'
  const steps = target.split('/').filter((step) => step !== '' && step !== '.')
  const up = steps.findIndex((step) => step !== '..')
  const climbs = up === -1 ? steps.length : up
  if (steps.lastIndexOf('..') >= climbs) return 'has a target with `..` after a name'
  if (path === '' || climbs > path.split('/').length - 1) return 'points out of its root'
  return undefined
}

/** @throws ShareError BAD_CONTENT */
export function checkSymlink(path: string, target: string): void {
  const problem = symlinkProblem(path, target)
  if (problem !== undefined)
    throw badContent(`the symlink "${printable(path)}" -> "${printable(target)}" ${problem}`)
}

function refusal(name: string, where: string, problem: string): ShareError {
  const place = where === '' ? 'at the top' : `in "${printable(where)}"`
  return badContent(`the name "${printable(name)}" ${place} ${problem}`)
}
