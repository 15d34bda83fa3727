import { readFileSync } from 'node:fs'

/** The package's version. */
export function version(): string {
  // the same two steps up from src/daemon and from dist/daemon
  const parsed: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed
    ? String(parsed.version)
    : 'unknown'
}
