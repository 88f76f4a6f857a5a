// Where a list goes on, as callers see it: bound to the endpoint and the query that it belongs to, so that a cursor of one list is not taken
// for one of another.
import { fromHex, toHex } from '../../core/bytes/hex.ts'
import { fromUtf8, toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'

/** What the list is of, in few letters. */
export function listName(endpoint: string, query: Readonly<Record<string, unknown>>): string {
  const { limit: _limit, after: _after, fields: _fields, ...conditions } = query
  const text = JSON.stringify([endpoint, Object.entries(conditions).sort(([a], [b]) => (a < b ? -1 : 1))])
  return sha256Hex(toUtf8(text)).slice(0, 16)
}

export function sealCursor(list: string, place: string): string {
  return toHex(toUtf8(JSON.stringify([list, place])))
}

/** Throws `api.cursor_invalid`. */
export function openCursor(list: string, cursor: string): string {
  try {
    const value: unknown = JSON.parse(fromUtf8(fromHex(cursor)))
    if (Array.isArray(value) && value.length === 2 && value[0] === list && typeof value[1] === 'string') return value[1]
  } catch {
    // The same answer as for a cursor of another list.
  }
  throw new TouchmarkError('api.cursor_invalid', 'malformed', 'The cursor does not belong to this list.', {
    next: 'Pass the next of a page as after, with the same query; or begin anew without it.',
  })
}
