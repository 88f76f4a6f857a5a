// CSV as RFC 4180 has it, read as a stream: quotes, doubled quotes, line ends inside quotes; comma, semicolon or tab, whichever the
// first line uses. A record longer than the limit is an error, so that a wrong file cannot fill the memory.
import { TouchmarkError } from '../../core/errors.ts'

export interface CsvRecord {
  /** Line on which the record begins, counted from 1. */
  readonly line: number
  readonly fields: readonly string[]
}

/** Characters of one record that may wait for its end: a PEM CSR with an ML-DSA-87 key stays well below, a stream's chunk too. */
const MAX_RECORD = 256 * 1024

const QUOTE = 0x22
const LINE_FEED = 0x0a
const SEPARATORS: readonly number[] = [0x2c, 0x3b, 0x09]

/** Throws `factory.record_too_long`, `factory.quote_open`. Empty lines are passed over. */
export async function* readCsv(chunks: AsyncIterable<string>): AsyncGenerator<CsvRecord, void, undefined> {
  let separator: number | undefined
  let fields: string[] = []
  let field = ''
  let state: 'plain' | 'quoted' | 'quote_in_quoted' = 'plain'
  let line = 1
  let start = 1
  let size = 0

  for await (const chunk of chunks) {
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      const code = chunk.charCodeAt(at)
      if (code === LINE_FEED) line++
      if (state === 'quoted') {
        if (code !== QUOTE) continue
        field += chunk.slice(from, at)
        state = 'quote_in_quoted'
        from = at + 1
        continue
      }
      if (state === 'quote_in_quoted') {
        state = 'plain'
        if (code === QUOTE) {
          state = 'quoted'
          from = at
          continue
        }
      }
      const separates = separator === undefined ? SEPARATORS.includes(code) : code === separator
      if (code === QUOTE && field === '' && at === from) {
        state = 'quoted'
        from = at + 1
      } else if (separates || code === LINE_FEED) {
        field += chunk.slice(from, at)
        from = at + 1
        if (separates) separator = code
        size += field.length
        fields.push(code === LINE_FEED && field.endsWith('\r') ? field.slice(0, -1) : field)
        field = ''
        if (code === LINE_FEED) {
          if (fields.length > 1 || fields[0] !== '') yield { line: start, fields }
          fields = []
          size = 0
          start = line
        }
      }
    }
    field += chunk.slice(from)
    if (size + field.length > MAX_RECORD) {
      throw new TouchmarkError(
        'factory.record_too_long',
        'malformed',
        `The record that begins on line ${start} is too long.`,
        {
          next: 'Check the quotes: one that is never closed makes one endless record.',
        },
      )
    }
  }
  if (state === 'quoted') {
    throw new TouchmarkError(
      'factory.quote_open',
      'malformed',
      `The quote that opens on line ${start} is never closed.`,
      { next: 'Close it, and run the same command again: what is done stays done.' },
    )
  }
  fields.push(field.endsWith('\r') ? field.slice(0, -1) : field)
  if (fields.length > 1 || fields[0] !== '') yield { line: start, fields }
}
