// Mutation of real messages: whatever a bit, a length or a cut does to them, a parser may throw only its own typed errors.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { TouchmarkError } from '../../src/core/errors.ts'

type Mutation =
  | { readonly kind: 'flip'; readonly at: number; readonly value: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'remove'; readonly at: number; readonly count: number }

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), value: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
  fc.record({
    kind: fc.constant('insert' as const),
    at: fc.nat(),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(), count: fc.integer({ min: 1, max: 8 }) }),
)

/** Octets near `original`: one to four mutations away from it. */
export function mutated(original: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.array(mutation, { minLength: 1, maxLength: 4 }).map(list => list.reduce(apply, original))
}

/** One of these, mutated. */
export function mutatedOneOf(originals: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc.nat({ max: originals.length - 1 }).chain(i => mutated(originals[i]!))
}

/** Runs `parse` over mutations of `originals`; anything thrown must be a TouchmarkError that blames the input. */
export function assertOnlyTypedErrors(
  originals: readonly Uint8Array[],
  parse: (bytes: Uint8Array) => unknown,
  runs: number,
): void {
  fc.assert(
    fc.property(mutatedOneOf(originals), bytes => {
      try {
        parse(bytes)
      } catch (thrown) {
        assert.ok(thrown instanceof TouchmarkError, `a foreign error: ${String(thrown)}`)
        assert.ok(thrown.kind === 'malformed' || thrown.kind === 'unauthenticated', `${thrown.code} is ${thrown.kind}`)
      }
    }),
    { numRuns: runs },
  )
}

function apply(bytes: Uint8Array, change: Mutation): Uint8Array {
  const at = bytes.length === 0 ? 0 : change.at % bytes.length
  const out = Uint8Array.from(bytes)
  switch (change.kind) {
    case 'flip':
      if (out.length > 0) out[at] = out[at]! ^ change.value
      return out
    case 'cut':
      return out.slice(0, at)
    case 'insert':
      return Uint8Array.from([...out.subarray(0, at), ...change.bytes, ...out.subarray(at)])
    case 'remove':
      return Uint8Array.from([...out.subarray(0, at), ...out.subarray(at + change.count)])
    default:
      return change satisfies never
  }
}
