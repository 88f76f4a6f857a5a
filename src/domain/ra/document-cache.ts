// Parsed documents, kept by name and version: the stored row is read each time, so that a change is in force at once, and parsed
// once. A document that cannot be parsed any more (a newer process wrote it) is an error, never an empty rule set.
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import type { DocumentVersion } from '../document.ts'

export class DocumentCache<T> {
  readonly #parse: (json: unknown) => T
  readonly #parsed = new Map<string, { readonly version: number; readonly value: T }>()

  constructor(parse: (json: unknown) => T) {
    this.#parse = parse
  }

  /** Throws `document.unreadable`. */
  value(document: DocumentVersion): T {
    const known = this.#parsed.get(document.name)
    if (known?.version === document.version) return known.value
    try {
      const value = this.#parse(JSON.parse(document.body))
      this.#parsed.set(document.name, { version: document.version, value })
      return value
    } catch (cause) {
      throw new TouchmarkError(
        'document.unreadable',
        'internal',
        `Version ${document.version} of the ${document.kind} document ${document.name} cannot be read.`,
        { cause, next: asTouchmarkError(cause).message, evidence: { kind: document.kind, name: document.name } },
      )
    }
  }
}
