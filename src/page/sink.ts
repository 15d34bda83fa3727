/** Where checked bytes go, in order, until all are there. Nothing stands under the file's name before that. */
export interface Sink {
  /** Bytes that it has already, from an earlier attempt too: the next ones belong here. */
  readonly at: number
  write(bytes: Uint8Array): Promise<void>
  /** Whatever is on its way is stored. */
  flush(): Promise<void>
  /** All is there: the file gets its name. */
  finish(): Promise<void>
  /** What it has is deleted. */
  discard(): Promise<void>
}
