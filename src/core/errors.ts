/**
 * Errors are part of the interface: each says what happened and what to do next, under a code that
 * never changes its meaning. The same codes appear in the CLI, in JSON and in the API.
 */

/** Every code, with the process exit code that it maps to. */
const EXIT_CODES = {
  INTERNAL: 1,
  NOT_FOUND: 1,
  UNREADABLE: 1,
  TARGET_EXISTS: 1,
  SOURCE_CHANGED: 1,
  CONFLICT: 1,
  ALREADY_RUNNING: 1,
  UNSUPPORTED: 1,
  IO: 1,
  USAGE: 2,
  BAD_CID: 2,
  BAD_LINK: 2,
  BAD_PATH: 2,
  BAD_CONFIG: 2,
  BAD_ADDRESS: 2,
  NOBODY_HAS_IT: 3,
  VERIFICATION_FAILED: 4,
  BAD_CONTENT: 4,
  DAEMON_UNREACHABLE: 5,
  DISK_FULL: 6,
  TIMED_OUT: 124,
  INTERRUPTED: 130,
} as const

export type ErrorCode = keyof typeof EXIT_CODES

export interface ErrorJson {
  code: ErrorCode
  message: string
  hint: string
}

/** An error meant for a person: `message` is what happened, `hint` what to do next. One line each. */
export class ShareError extends Error {
  readonly code: ErrorCode
  readonly hint: string

  constructor(code: ErrorCode, message: string, hint: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'ShareError'
    this.code = code
    this.hint = hint
  }

  get exitCode(): number {
    return EXIT_CODES[this.code]
  }

  toJSON(): ErrorJson {
    return { code: this.code, message: this.message, hint: this.hint }
  }

  static fromJSON(json: ErrorJson): ShareError {
    const code = Object.hasOwn(EXIT_CODES, json.code) ? json.code : 'INTERNAL'
    return new ShareError(code, json.message, json.hint)
  }

  /** Wraps anything thrown; a ShareError passes through, a system error gets the code that fits its errno. */
  static from(thrown: unknown, doing = 'work'): ShareError {
    if (thrown instanceof ShareError) return thrown
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    const name = errno(thrown) ?? ''
    const known = Object.hasOwn(FROM_ERRNO, name) ? FROM_ERRNO[name] : undefined
    if (known !== undefined) return new ShareError(known.code, message, known.hint, { cause: thrown })
    return new ShareError(
      'INTERNAL',
      `could not ${doing}: ${message}`,
      'run again; if it repeats, report it with `share daemon logs`',
      {
        cause: thrown,
      },
    )
  }
}

const FROM_ERRNO: Readonly<Record<string, { code: ErrorCode; hint: string }>> = {
  ENOENT: { code: 'NOT_FOUND', hint: 'check the path' },
  EACCES: { code: 'UNREADABLE', hint: 'check the permissions of the file and its directory' },
  EPERM: { code: 'UNREADABLE', hint: 'check the permissions of the file and its directory' },
  ENOSPC: { code: 'DISK_FULL', hint: 'free some space, then run the same command again: it resumes' },
  EDQUOT: { code: 'DISK_FULL', hint: 'free some of your quota, then run the same command again: it resumes' },
  EEXIST: { code: 'TARGET_EXISTS', hint: 'move it away, or choose another target with -o' },
  EROFS: { code: 'IO', hint: 'the file system is read-only; choose another target with -o' },
  EIO: { code: 'IO', hint: 'the disk reports an error; check it before you go on' },
  EMFILE: { code: 'IO', hint: 'too many open files; raise the limit (ulimit -n)' },
}

/** The system error name (`ENOENT`, …) that a thrown value carries, if any. */
export function errno(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}

/** What was thrown, as an error where it is none. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}
