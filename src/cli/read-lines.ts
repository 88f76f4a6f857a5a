// Lines of a stream, one at a time and at the pace of whoever takes them, in memory that does not depend on how long a line is.

export type Line =
  | { readonly kind: 'whole'; readonly text: string }
  /** Longer than the limit: only how it begins was kept. */
  | { readonly kind: 'too_long'; readonly start: string }

/** Octets that are kept of a line that is too long. */
const KEPT = 4096
const NEWLINE = 0x0a

/** Every line that ends in LF or CRLF, empty ones included, and what stands after the last of them if it is not empty. */
export async function* readLines(
  input: AsyncIterable<Uint8Array>,
  maxOctets: number,
): AsyncGenerator<Line, void, undefined> {
  let parts: Uint8Array[] = []
  let length = 0
  let start: Uint8Array | undefined
  const take = (part: Uint8Array) => {
    length += part.length
    if (start !== undefined || part.length === 0) return
    parts.push(part)
    if (length <= maxOctets) return
    start = Buffer.concat(parts).subarray(0, KEPT)
    parts = []
  }
  const finish = (): Line => {
    const line: Line =
      start === undefined
        ? { kind: 'whole', text: textOf(parts) }
        : { kind: 'too_long', start: Buffer.from(start).toString('utf8') }
    parts = []
    length = 0
    start = undefined
    return line
  }
  for await (const chunk of input) {
    let from = 0
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      take(chunk.subarray(from, at))
      yield finish()
      from = at + 1
    }
    take(chunk.subarray(from))
  }
  if (length > 0) yield finish()
}

function textOf(parts: readonly Uint8Array[]): string {
  const text = Buffer.concat(parts).toString('utf8')
  return text.endsWith('\r') ? text.slice(0, -1) : text
}
