/**
 * The browser's own storage (IndexedDB), which there is on unencrypted pages too: parts of the file as blobs, which lie on
 * disk and not in memory. When all are there they are one blob, without being copied, which the browser saves as a
 * download. They outlast the page, so that a download goes on where it stopped, days later too.
 */
import { ShareError } from '../core/errors.ts'
import type { Sink } from './sink.ts'

interface Part {
  /** The file's key. */
  readonly file: string
  /** Where in the file it begins. */
  readonly at: number
  readonly bytes: Blob
  /** Ms since 1970. */
  readonly stored: number
}

const STORE = 'parts'

/** Enough that writing them is not felt, few enough to be lost. */
const PART_BYTES = 8 << 20

/** None that a browser would show, or give a name an ending for. */
const TYPE = 'application/octet-stream'

/** Parts of downloads that nobody went on with for so long are deleted, in ms: a week. */
const KEPT_MS = 7 * 86_400_000

/** @param file the same for the same bytes; @param save gives the whole file to the browser */
export async function keepFile(file: string, save: (whole: Blob) => void): Promise<KeptSink> {
  const database = await openDatabase()
  await deleteOld(database)
  return new KeptSink(database, file, save, await partsOf(database, file))
}

class KeptSink implements Sink {
  readonly #database: IDBDatabase
  readonly #file: string
  readonly #save: (whole: Blob) => void
  #stored: number
  #pending: Uint8Array<ArrayBuffer>[] = []
  #pendingBytes = 0

  constructor(database: IDBDatabase, file: string, save: (whole: Blob) => void, parts: readonly Part[]) {
    this.#database = database
    this.#file = file
    this.#save = save
    this.#stored = lengthOf(parts)
  }

  get at(): number {
    return this.#stored + this.#pendingBytes
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes >= PART_BYTES) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#pendingBytes === 0) return
    const part: Part = {
      file: this.#file,
      at: this.#stored,
      bytes: new Blob(this.#pending),
      stored: Date.now(),
    }
    await changed(this.#database, (store) => store.put(part))
    this.#stored += this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
  }

  /** The blob holds what the parts held, whatever becomes of them. */
  async finish(): Promise<void> {
    await this.flush()
    const parts = await partsOf(this.#database, this.#file)
    if (lengthOf(parts) !== this.#stored)
      throw new ShareError(
        'CONFLICT',
        'another page stored the same file meanwhile',
        'close it, then try again',
      )
    const blobs = parts.map(({ bytes }) => bytes)
    this.#save(new Blob(blobs, { type: TYPE }))
    await this.discard()
  }

  async discard(): Promise<void> {
    this.#pending = []
    this.#pendingBytes = 0
    await changed(this.#database, (store) => store.delete(rangeOf(this.#file)))
    this.#stored = 0
    this.#database.close()
  }
}

/** Those of a file that follow each other from its beginning. */
async function partsOf(database: IDBDatabase, file: string): Promise<Part[]> {
  const all: Part[] = await done(database.transaction(STORE).objectStore(STORE).getAll(rangeOf(file)))
  const whole: Part[] = []
  for (const part of all) {
    if (part.at !== lengthOf(whole)) break
    whole.push(part)
  }
  return whole
}

function lengthOf(parts: readonly Part[]): number {
  const last = parts.at(-1)
  return last === undefined ? 0 : last.at + last.bytes.size
}

const rangeOf = (file: string): IDBKeyRange => IDBKeyRange.bound([file, 0], [file, Number.MAX_SAFE_INTEGER])

async function deleteOld(database: IDBDatabase): Promise<void> {
  const transaction = database.transaction(STORE, 'readwrite')
  const index = transaction.objectStore(STORE).index('stored')
  const request = index.openCursor(IDBKeyRange.upperBound(Date.now() - KEPT_MS))
  request.onsuccess = () => {
    request.result?.delete()
    request.result?.continue()
  }
  await ended(transaction)
}

async function openDatabase(): Promise<IDBDatabase> {
  try {
    const request = indexedDB.open('share-page', 1)
    request.onupgradeneeded = () => {
      const store = request.result.createObjectStore(STORE, { keyPath: ['file', 'at'] })
      store.createIndex('stored', 'stored')
    }
    return await done(request)
  } catch (cause) {
    throw new ShareError('UNSUPPORTED', 'this browser lets the page store nothing', NO_STORAGE, { cause })
  }
}

async function changed(database: IDBDatabase, change: (store: IDBObjectStore) => IDBRequest): Promise<void> {
  const transaction = database.transaction(STORE, 'readwrite')
  change(transaction.objectStore(STORE))
  await ended(transaction)
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(failure(transaction.error))
  })
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(failure(request.error))
  })
}

function failure(cause: DOMException | null): Error {
  // the page knows what to say of it
  if (cause?.name === 'QuotaExceededError') return cause
  return new ShareError(
    'IO',
    `the browser could not store it: ${cause?.message ?? 'no reason'}`,
    NO_STORAGE,
    { cause },
  )
}

const NO_STORAGE = 'leave private mode, or download it without checking'
