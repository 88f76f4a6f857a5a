// JSON messages between a device and the platform, read strictly: a limit on octets, every member checked for type and bounds, the place of
// a fault named. A member that is not known is passed over, so that an older reader understands a newer writer; `onlyKnown` refuses it where
// what is said is signed. Times are RFC 3339 in UTC, whole seconds.
import type { Bytes } from '../bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../bytes/utf8.ts'
import { TouchmarkError } from '../errors.ts'

/** 9999-12-31T23:59:59Z. */
const LAST_SECOND = 253_402_300_799
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

export interface TextRule {
  readonly max: number
  readonly pattern?: RegExp
}

/** Any text without control characters. */
const PRINTABLE = /^[^\p{C}]+$/u

/** An object of a message. `path` names it in errors: `health.keys[2]`. */
export class JsonObject {
  readonly #members: Readonly<Record<string, unknown>>
  readonly #path: string

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(path, 'is not an object')
    this.#members = value as Readonly<Record<string, unknown>>
    this.#path = path
  }

  /** Throws where there is any other member. */
  onlyKnown(...names: readonly string[]): this {
    const other = Object.keys(this.#members).find(name => !names.includes(name))
    if (other !== undefined) throw malformed(this.#path, 'has a member that is not known')
    return this
  }

  /** What `read` makes of the member, or `null` where it is absent or `null`. */
  optional<T>(name: string, read: (object: JsonObject, name: string) => T): T | null {
    const value = this.#value(name)
    return value === undefined || value === null ? null : read(this, name)
  }

  /** 1 to `max` characters without control characters, or as the pattern says. */
  text(name: string, { max, pattern = PRINTABLE }: TextRule): string {
    const value = this.#value(name)
    if (typeof value !== 'string' || value.length > max || !pattern.test(value)) {
      throw malformed(`${this.#path}.${name}`, `is not a text of 1 to ${max} characters as wanted here`)
    }
    return value
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    const value = this.#value(name)
    const found = values.find(each => each === value)
    if (found === undefined) throw malformed(`${this.#path}.${name}`, `is none of ${values.join(', ')}`)
    return found
  }

  integer(name: string, { min, max }: { readonly min: number; readonly max: number }): number {
    const value = this.#value(name)
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      throw malformed(`${this.#path}.${name}`, `is not an integer from ${min} to ${max}`)
    }
    return value as number
  }

  boolean(name: string): boolean {
    const value = this.#value(name)
    if (typeof value !== 'boolean') throw malformed(`${this.#path}.${name}`, 'is neither true nor false')
    return value
  }

  /** Whole seconds since 1970; fractions of a second are dropped. */
  time(name: string): number {
    const value = this.#value(name)
    const seconds = typeof value === 'string' && TIME.test(value) ? Math.floor(Date.parse(value) / 1000) : Number.NaN
    // Date.parse makes the 3rd of March of the 31st of February; what is written back tells.
    if (!isSecond(seconds) || formatTime(seconds).slice(0, 19) !== (value as string).slice(0, 19)) {
      throw malformed(`${this.#path}.${name}`, 'is not a time like 2030-01-31T23:59:59Z')
    }
    return seconds
  }

  object(name: string): JsonObject {
    return new JsonObject(this.#value(name), `${this.#path}.${name}`)
  }

  objects<T>(name: string, max: number, read: (member: JsonObject) => T): T[] {
    return this.#list(name, max).map((value, i) => read(new JsonObject(value, `${this.#path}.${name}[${i}]`)))
  }

  texts(name: string, max: number, rule: TextRule): string[] {
    const list = this.#list(name, max)
    return list.map((value, i) => new JsonObject({ [i]: value }, `${this.#path}.${name}`).text(String(i), rule))
  }

  #list(name: string, max: number): readonly unknown[] {
    const value = this.#value(name)
    if (!Array.isArray(value) || value.length > max) {
      throw malformed(`${this.#path}.${name}`, `is not a list of at most ${max} members`)
    }
    return value
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined
  }
}

/** Reads a message whose whole is one object; `name` begins the paths in errors. Throws `message.malformed`, `message.too_large`. */
export function readMessage(octets: Uint8Array, name: string, maxOctets: number): JsonObject {
  if (octets.length > maxOctets) {
    throw new TouchmarkError('message.too_large', 'malformed', `The message ${name} may have ${maxOctets} octets.`, {
      evidence: { octets: octets.length, limit: maxOctets },
    })
  }
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(octets))
  } catch (cause) {
    throw malformed(name, 'is not JSON in UTF-8', cause)
  }
  return new JsonObject(value, name)
}

export function writeMessage(value: Readonly<Record<string, unknown>>): Bytes {
  return toUtf8(JSON.stringify(value))
}

/** `2030-01-31T23:59:59Z`. Throws `message.malformed` for what is no second between 1970 and 9999. */
export function formatTime(seconds: number): string {
  if (!isSecond(seconds)) throw malformed('time', 'is not a second between 1970 and 9999')
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

function isSecond(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= LAST_SECOND
}

/** A message that breaks its grammar at `path`. */
export function malformed(path: string, rule: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError('message.malformed', 'malformed', `The message breaks its grammar: ${path} ${rule}.`, {
    evidence: { path },
    cause,
  })
}
