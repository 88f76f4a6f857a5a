// Comparison of secrets (tokens, MACs, check values) without a timing signal about where they differ.
import { timingSafeEqual } from 'node:crypto'

/** Equality of secrets. Takes the same time wherever they differ; the length alone may show. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
