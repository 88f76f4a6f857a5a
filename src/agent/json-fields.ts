// Reads fields of JSON that somebody else wrote: an answer of the server, the state that a power cut may have met. Each reader names the
// field that is wrong; the caller gives the code.
import type { TouchmarkError } from '../core/errors.ts'

/** A field is missing or of another kind. Callers turn it into an error of their own. */
export class FieldError extends Error {
  override readonly name = 'FieldError'
}

export class JsonObject {
  readonly #fields: Readonly<Record<string, unknown>>
  readonly #path: string

  private constructor(fields: Readonly<Record<string, unknown>>, path: string) {
    this.#fields = fields
    this.#path = path
  }

  /** Throws `FieldError` where the value is no object. */
  static of(value: unknown, path = ''): JsonObject {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new FieldError(`${path || 'it'} is no object`)
    return new JsonObject(value as Record<string, unknown>, path)
  }

  text(name: string, limit = 4096): string {
    const value = this.#fields[name]
    if (typeof value !== 'string' || value.length > limit) throw this.#wrong(name, 'text')
    return value
  }

  optionalText(name: string, limit = 4096): string | null {
    return this.#absent(name) ? null : this.text(name, limit)
  }

  /** A whole number from 0 up. */
  count(name: string): number {
    const value = this.#fields[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
      throw this.#wrong(name, 'a whole number')
    return value
  }

  optionalCount(name: string): number | null {
    return this.#absent(name) ? null : this.count(name)
  }

  flag(name: string): boolean {
    const value = this.#fields[name]
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false')
    return value
  }

  /** RFC 3339 text as whole seconds since 1970. */
  time(name: string): number {
    const text = this.text(name, 40)
    const milliseconds = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)
      ? Date.parse(text)
      : Number.NaN
    if (Number.isNaN(milliseconds)) throw this.#wrong(name, 'a time')
    return Math.floor(milliseconds / 1000)
  }

  object(name: string): JsonObject {
    return JsonObject.of(this.#fields[name], this.#at(name))
  }

  optionalObject(name: string): JsonObject | null {
    return this.#absent(name) ? null : this.object(name)
  }

  texts(name: string, limit: number, length = 4096): string[] {
    const value = this.#fields[name]
    const fits = (item: unknown): item is string => typeof item === 'string' && item.length <= length
    if (!Array.isArray(value) || value.length > limit || !value.every(fits)) throw this.#wrong(name, 'a list of texts')
    return value
  }

  objects(name: string, limit: number): JsonObject[] {
    const value = this.#fields[name]
    if (!Array.isArray(value) || value.length > limit) throw this.#wrong(name, 'a list of objects')
    return value.map((item, i) => JsonObject.of(item, `${this.#at(name)}[${i}]`))
  }

  /** One of these words. */
  word<W extends string>(name: string, words: readonly W[]): W {
    const value = this.#fields[name]
    const found = words.find(word => word === value)
    if (found === undefined) throw this.#wrong(name, `one of ${words.join(', ')}`)
    return found
  }

  #absent(name: string): boolean {
    return this.#fields[name] === undefined || this.#fields[name] === null
  }

  #at(name: string): string {
    return this.#path ? `${this.#path}.${name}` : name
  }

  #wrong(name: string, expected: string): FieldError {
    return new FieldError(`${this.#at(name)} is not ${expected}`)
  }
}

/** Reads a value with `read`; throws `refuse(reason)` where the text is no JSON or a field is wrong. */
export function readJson<T>(
  text: string,
  read: (object: JsonObject) => T,
  refuse: (reason: string) => TouchmarkError,
): T {
  try {
    return read(JsonObject.of(JSON.parse(text)))
  } catch (thrown) {
    if (thrown instanceof FieldError) throw refuse(thrown.message)
    if (thrown instanceof SyntaxError) throw refuse('it is no JSON')
    throw thrown
  }
}
