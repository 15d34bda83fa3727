/** What is remembered of others has a bound: where it is passed, what was put in first goes. */
interface Remembered<K> {
  readonly size: number
  keys(): Iterable<K>
  delete(key: K): boolean
}

/** Call after each thing that is put into a map or set. */
export function keepNewest<K extends {}>(remembered: Remembered<K>, most: number): void {
  if (remembered.size <= most) return
  const [oldest] = remembered.keys()
  if (oldest !== undefined) remembered.delete(oldest)
}
