// An authority with its key at hand: what certificates, CRLs and OCSP answers are signed by.
import { TouchmarkError } from '../../core/errors.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import type { Signer } from '../../crypto/signer.ts'
import type { Authority } from './authority.ts'

/** An authority that can sign: its record, its certificate and a signer that was proved to hold its key. */
export interface IssuingAuthority {
  readonly record: Authority
  readonly certificate: Certificate
  readonly signer: Signer
  /** The certificates above, leaf side first, ending with the root as far as it is known. */
  readonly chain: readonly Certificate[]
}

/** An authority to be that signs its own certificate. */
export interface SelfSigningAuthority {
  readonly record: Pick<Authority, 'id' | 'crlShards'>
  readonly certificate: null
  readonly signer: Signer
  readonly chain: readonly []
}

export type SigningAuthority = IssuingAuthority | SelfSigningAuthority

/** Throws `authority.not_active` for an authority that issues no more. */
export function assertActive({ id, state }: Pick<Authority, 'id' | 'state'>): void {
  if (state === 'active') return
  throw new TouchmarkError('authority.not_active', 'unavailable', `The authority ${id} issues no more.`, {
    next: 'Let the profile name an active authority.',
    evidence: { authorityId: id, state },
  })
}
