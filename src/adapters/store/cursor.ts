// Where a list goes on: the place of its last item in the order of the index, as text that callers pass back and need not understand.
import { Buffer } from 'node:buffer'
import { octetsOf, storableText, type Value } from './sql.ts'

/** How a place is spelled: `id` is octets in hexadecimal. */
export type PlaceType = 'id' | 'integer' | 'text'

/** The first place of each type: before every value that a row can hold. */
const START = { id: new Uint8Array(0), integer: -1, text: '' } as const satisfies Record<PlaceType, Value>

function placesAtStart(types: readonly PlaceType[]): Value[] {
  return types.map(type => START[type])
}

/** Names the list too, so that its cursor is not taken for one of another. */
export function cursorOf(list: string, places: readonly Value[]): string {
  const spelled = places.map(place => (place instanceof Uint8Array ? Buffer.from(place).toString('hex') : place))
  return Buffer.from(JSON.stringify([list, ...spelled])).toString('base64url')
}

/** The values of a cursor of this list; `start` where it is none. */
export function placesOf(
  list: string,
  types: readonly PlaceType[],
  cursor: string | undefined,
  start: readonly Value[] = placesAtStart(types),
): readonly Value[] {
  if (cursor === undefined) return start
  const [name, ...spelled] = parsed(cursor)
  if (name !== list || spelled.length !== types.length) return start
  const places = types.map((type, i) => placeOf(type, spelled[i]))
  return places.every(place => place !== undefined) ? places : start
}

function placeOf(type: PlaceType, spelled: unknown): Value | undefined {
  if (type === 'integer') return Number.isSafeInteger(spelled) ? Number(spelled) : undefined
  if (typeof spelled !== 'string') return undefined
  return type === 'id' ? octetsOf(spelled) : storableText(spelled)
}

function parsed(cursor: string): readonly unknown[] {
  try {
    const list: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    return Array.isArray(list) ? list : []
  } catch {
    return []
  }
}
