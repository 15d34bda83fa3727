/**
 * The thread of small files. It makes them or reads them one after the other. What it made is fsynced behind that,
 * several at a time, because file systems join such commits; a disk that falls behind holds up the making.
 */
import { closeSync, constants, fdatasync, fstatSync, openSync, realpathSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { isSettled, stampOf } from '../content/file-state.ts'
import { sha256 } from '../content/verify.ts'
import { CUT_SHORT, notAsRecorded } from './damage.ts'
import { readFullySync, writeFullySync } from './positioned.ts'

/** Files that are made and not durable, at most: each is open. */
const MOST_OPEN = 256

/** Files fsynced at once, a thread each. */
const SYNCS_AT_ONCE = 16

export interface NewFile {
  readonly path: string
  /** Real path that the file's directory must have. */
  readonly directory: string
  readonly length: number
}

/** A part of a file that has to be as long as `size`. */
export interface Wanted {
  readonly path: string
  readonly size: number
  readonly offset: number
  readonly length: number
  /** The file's stamp when the part was last hashed, if that can be relied on: then it is not hashed. */
  readonly trusted: string | undefined
}

/** `message` is for the main thread to tell which question it is an answer to. The buffer begins with the bytes of all files, one after the other. */
export type Question =
  | {
      readonly kind: 'make'
      readonly message: number
      readonly files: readonly NewFile[]
      readonly buffer: ArrayBuffer
    }
  | { readonly kind: 'read'; readonly message: number; readonly files: readonly Wanted[] }

/** A system call's error: a copy of an error on its way to another thread loses its code. */
export interface Failure {
  readonly message: string
  readonly code: string | undefined
}

/** What was read. */
export type ReadFile =
  | {
      readonly state: 'read'
      /** Undefined where the file has the stamp that is trusted. */
      readonly digest: Uint8Array | undefined
      /** Undefined where the file changed meanwhile. */
      readonly stamp: string | undefined
      /** A later change will show in the stamp. */
      readonly settled: boolean
    }
  | { readonly state: 'damaged'; readonly reason: string }

export type Reply =
  | {
      readonly kind: 'made'
      readonly message: number
      readonly failures: readonly (Failure | undefined)[]
      /** For another message. */
      readonly buffer: ArrayBuffer
    }
  | {
      readonly kind: 'synced'
      readonly message: number
      readonly failures: readonly (Failure | undefined)[]
    }
  | {
      readonly kind: 'read'
      readonly message: number
      readonly files: readonly (ReadFile | Failure)[]
      readonly bytes: Uint8Array
    }

const NEW_FILE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)
// a pipe or device in the file's place must not block
const TO_READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

interface Unsynced {
  readonly fd: number
  readonly done: (thrown: unknown) => void
}

const questions: Question[] = []
const unsynced: Unsynced[] = []
let open = 0
let syncing = 0

parentPort?.on('message', (question: Question) => {
  questions.push(question)
  work()
})

function work(): void {
  while (open < MOST_OPEN) {
    const question = questions.shift()
    if (question === undefined) return
    if (question.kind === 'make') make(question)
    else read(question)
  }
}

// --- making

function make({ message, files, buffer }: Extract<Question, { kind: 'make' }>): void {
  const directories = new Map<string, string>()
  const failures: (Failure | undefined)[] = []
  const made: (number | undefined)[] = []
  let end = 0
  for (const file of files) {
    const content = new Uint8Array(buffer, end, file.length)
    end += file.length
    try {
      checkDirectory(file, directories)
      made.push(makeFile(file.path, content))
      failures.push(undefined)
    } catch (thrown) {
      made.push(undefined)
      failures.push(failureOf(thrown))
    }
  }
  const reply: Reply = { kind: 'made', message, failures, buffer }
  parentPort?.postMessage(reply, [buffer])
  syncAll(message, made)
}

/** The directory must be where it was made: someone may have put a symlink in its place. */
function checkDirectory({ path, directory }: NewFile, known: Map<string, string>): void {
  const named = dirname(path)
  const real = known.get(named) ?? realpathSync.native(named)
  known.set(named, real)
  if (real !== directory) throw Object.assign(new Error(`${named} was replaced`), { code: 'ELOOP' })
}

function makeFile(path: string, content: Uint8Array): number {
  const fd = openSync(path, NEW_FILE, 0o666)
  try {
    writeFullySync(fd, content, 0)
    open++
    return fd
  } catch (thrown) {
    closeSync(fd)
    unlinkSync(path)
    throw thrown
  }
}

/** Answers a second time when all of a message is durable. */
function syncAll(message: number, made: readonly (number | undefined)[]): void {
  const failures: (Failure | undefined)[] = made.map(() => undefined)
  let left = 1
  const ended = (): void => {
    if (--left === 0) parentPort?.postMessage({ kind: 'synced', message, failures } satisfies Reply)
  }
  for (const [at, fd] of made.entries()) {
    if (fd === undefined) continue
    left++
    const done = (thrown: unknown): void => {
      if (thrown !== null) failures[at] = failureOf(thrown)
      ended()
    }
    unsynced.push({ fd, done })
  }
  ended()
  syncSome()
}

function syncSome(): void {
  for (; syncing < SYNCS_AT_ONCE; syncing++) {
    const next = unsynced.shift()
    if (next === undefined) return
    fdatasync(next.fd, (thrown) => {
      closeSync(next.fd)
      open--
      syncing--
      next.done(thrown)
      syncSome()
      work()
    })
  }
}

// --- reading

function read({ message, files }: Extract<Question, { kind: 'read' }>): void {
  const bytes = new Uint8Array(files.reduce((sum, { length }) => sum + length, 0))
  const results: (ReadFile | Failure)[] = []
  let end = 0
  for (const file of files) {
    const into = bytes.subarray(end, end + file.length)
    end += file.length
    try {
      results.push(readFile(file, into))
    } catch (thrown) {
      results.push(failureOf(thrown))
    }
  }
  const reply: Reply = { kind: 'read', message, files: results, bytes }
  parentPort?.postMessage(reply, [bytes.buffer])
}

function readFile({ path, size, offset, trusted }: Wanted, into: Uint8Array): ReadFile {
  const fd = openSync(path, TO_READ)
  try {
    const stats = fstatSync(fd, { bigint: true })
    const reason = notAsRecorded(stats, size)
    if (reason !== undefined) return { state: 'damaged', reason }
    if (readFullySync(fd, into, offset) < into.length) return { state: 'damaged', reason: CUT_SHORT }
    const before = stampOf(stats)
    const stamp = stampOf(fstatSync(fd, { bigint: true })) === before ? before : undefined
    if (stamp !== undefined && stamp === trusted)
      return { state: 'read', digest: undefined, stamp, settled: true }
    const settled = isSettled(stats, Date.now())
    return { state: 'read', digest: sha256(into), stamp, settled }
  } finally {
    closeSync(fd)
  }
}

function failureOf(thrown: unknown): Failure {
  const { message, code } = thrown as NodeJS.ErrnoException
  return { message, code }
}
