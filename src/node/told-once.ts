/** A log that says each line once: a peer that does the same wrong again and again fills no disk. */

/** Lines remembered; past it all are forgotten, and told again. */
const MOST_LINES = 1_000

export function toldOnce(log: (line: string) => void): (line: string) => void {
  const told = new Set<string>()
  return (line) => {
    if (told.has(line)) return
    if (told.size >= MOST_LINES) told.clear()
    told.add(line)
    log(line)
  }
}
