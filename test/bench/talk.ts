/** What the benchmarks say beside their tables, on standard error. */

export function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** Says it, and gives the exit code. */
export function complain(text: string, code: number): number {
  say(text)
  return code
}

export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)
