/** Bytes as tests write and read them. */

/** `00000005 04 0000002a`; blanks are for the eye, and text in quotes stands for itself. */
export function bytes(text: string): Uint8Array {
  const parts = text.split(/('[^']*')/).map((part) => {
    if (part.startsWith("'")) return Buffer.from(part.slice(1, -1), 'latin1')
    return Buffer.from(part.replaceAll(/\s/g, ''), 'hex')
  })
  return Uint8Array.from(Buffer.concat(parts))
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

export function toHex(data: Uint8Array): string {
  return Buffer.from(data).toString('hex')
}
