/** The media type of a file: by its name, else by how it begins. */
import mime from 'mime'

/** As many bytes as the longest signature, and enough of a text to know one. */
export const SNIFFED_BYTES = 512

const UNKNOWN = 'application/octet-stream'

/** What browsers show or play, by its first bytes in hex. */
const SIGNATURES: readonly (readonly [pattern: RegExp, type: string])[] = [
  [/^89504e470d0a1a0a/, 'image/png'],
  [/^ffd8ff/, 'image/jpeg'],
  [/^47494638/, 'image/gif'],
  [/^52494646.{8}57454250/, 'image/webp'],
  [/^.{8}6674797061766966/, 'image/avif'],
  [/^255044462d/, 'application/pdf'],
  [/^.{8}66747970/, 'video/mp4'],
  [/^1a45dfa3/, 'video/webm'],
  [/^4f67675300/, 'application/ogg'],
  [/^(494433|fffb|fff3|fff2)/, 'audio/mpeg'],
  [/^664c6143/, 'audio/flac'],
  [/^52494646.{8}57415645/, 'audio/wav'],
  [/^504b0304/, 'application/zip'],
  [/^1f8b/, 'application/gzip'],
]

/** Bytes that the longest of these looks at. */
const SIGNATURE_BYTES = 12

const HTML = /^\s*<(!doctype html|html|head|body)\b/i

/** Undefined where the name has no ending, or one that says nothing. */
export function typeOfName(name: string): string | undefined {
  const type = mime.getType(name)
  if (type === null) return undefined
  return type.startsWith('text/') || type.endsWith('javascript') || type.endsWith('json')
    ? `${type}; charset=utf-8`
    : type
}

export function typeOfBytes(head: Uint8Array): string {
  const bytes = head.subarray(0, SNIFFED_BYTES)
  const start = Buffer.from(bytes.subarray(0, SIGNATURE_BYTES)).toString('hex')
  const known = SIGNATURES.find(([pattern]) => pattern.test(start))
  if (known !== undefined) return known[1]
  if (!isText(bytes)) return UNKNOWN
  const html = HTML.test(Buffer.from(bytes).toString())
  return `text/${html ? 'html' : 'plain'}; charset=utf-8`
}

function isText(bytes: Uint8Array): boolean {
  if (bytes.some((byte) => byte < 0x20 && !TEXT_CONTROLS.has(byte))) return false
  try {
    // the last character may be cut
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true })
    return true
  } catch {
    return false
  }
}

/** Tab, line feed, form feed, carriage return, escape. */
const TEXT_CONTROLS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x1b])
