// The authorities of a store for questions that need no key: which one issues, which roots are trusted. The key store stays closed.
import { TouchmarkError } from '../core/errors.ts'
import { AuthorityDirectory } from '../domain/ca/authorities.ts'
import type { Store } from '../domain/ports.ts'

/** A directory that cannot sign: whatever asks it for a key gets `key.not_found`. */
export function keylessAuthorities(store: Store): AuthorityDirectory {
  const signer = () => Promise.reject(new TouchmarkError('key.not_found', 'not_found', 'The key store is not open.'))
  return new AuthorityDirectory({ store, keyStore: { signer } })
}
