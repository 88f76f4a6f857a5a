// The one error family. A code is stable and dotted (`csr.signature_invalid`); scripts and runbooks may rely on it.
// Expected outcomes of policy (granted, pending, denied) are return values, never errors.

/** What a protocol needs to know to pick its wire error. Each protocol maps every kind; see `protocols/<name>/errors.ts`. */
export type ErrorKind =
  | 'malformed'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'too_many'
  | 'unavailable'
  | 'internal'

/** Facts for operators and audit entries: never a secret, never personal data. */
export type Evidence = Readonly<Record<string, string | number | boolean>>

export interface ErrorDetail {
  /** What the reader can do next, as one sentence. */
  readonly next?: string
  readonly evidence?: Evidence
  readonly cause?: unknown
}

/**
 * An error with a stable code. `message` is one plain sentence for operators; strangers see it only where the kind is
 * not `internal`.
 */
export class TouchmarkError extends Error {
  override readonly name = 'TouchmarkError'
  readonly code: string
  readonly kind: ErrorKind
  readonly next: string | undefined
  readonly evidence: Evidence

  constructor(code: string, kind: ErrorKind, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.code = code
    this.kind = kind
    this.next = detail.next
    this.evidence = detail.evidence ?? {}
  }
}

/** Anything thrown, as a member of the family: foreign errors become `internal.unexpected` and keep their cause. */
export function asTouchmarkError(thrown: unknown): TouchmarkError {
  if (thrown instanceof TouchmarkError) return thrown
  return new TouchmarkError('internal.unexpected', 'internal', 'Something went wrong that should not have.', {
    cause: thrown,
  })
}
