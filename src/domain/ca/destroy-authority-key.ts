// The end of an authority's key: only when nothing is left that it has to answer for, since after that nobody can sign a CRL or an OCSP signer in
// its name. The log says so first: a key is gone for good.
import { TouchmarkError } from '../../core/errors.ts'
import { parseCertificate } from '../../core/pki/certificate.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { type AuthorityId, keyId, type UnixSeconds } from '../ids.ts'
import type { Store } from '../ports.ts'
import type { AuthorityDirectory } from './authorities.ts'

export interface DestroyKeyPorts {
  readonly authorities: Pick<AuthorityDirectory, 'all'>
  readonly store: Store
  readonly keyStore: Pick<KeyStore, 'list' | 'destroy'>
  readonly now: UnixSeconds
  readonly actor: AuditEntry['actor']
}

/**
 * Throws `authority.not_found`, `authority.state_changed` where it is not retired, `authority.still_answers` where a certificate that it issued is
 * still valid, `key.not_found` where its key is not in this store.
 */
export async function destroyAuthorityKey(id: AuthorityId, ports: DestroyKeyPorts): Promise<void> {
  const { authorities, store, keyStore, now, actor } = ports
  const all = await authorities.all()
  const record = all.find(each => each.id === id)
  if (record === undefined) {
    throw new TouchmarkError('authority.not_found', 'not_found', `There is no authority ${id}.`, {
      evidence: { authorityId: id },
    })
  }
  if (record.state !== 'retired') {
    throw new TouchmarkError('authority.state_changed', 'conflict', `The authority ${id} is not retired.`, {
      next: 'Retire it first: the key of an authority that issues is not destroyed.',
      evidence: { authorityId: id, state: record.state },
    })
  }
  const below = all.find(
    each => each.issuer === id && each.certificate !== null && parseCertificate(each.certificate).notAfter >= now,
  )
  const { items } = await store.read.selectCertificates(
    { statuses: ['good', 'held', 'revoked'], authority: id, expiresFrom: now },
    { limit: 1 },
  )
  if (below !== undefined || items.length > 0) {
    throw new TouchmarkError(
      'authority.still_answers',
      'conflict',
      `The authority ${id} answers for certificates that are valid.`,
      {
        next: 'Wait until the last of them is over: until then its key signs CRLs and OCSP signers.',
        evidence: below === undefined ? { serialNumber: items[0]!.serialNumber } : { authorityId: below.id },
      },
    )
  }
  const key = (await keyStore.list()).find(({ keyUri }) => keyUri === record.keyUri)
  if (key === undefined) {
    throw new TouchmarkError(
      'key.not_found',
      'not_found',
      'The key of the authority is not in the key store of this instance.',
      {
        evidence: { authorityId: id },
      },
    )
  }
  const subject = { keyId: keyId(sha256(key.publicKey)), keyUri: key.keyUri }
  const entry = { at: now, actor, action: 'keystore.key_destroyed', outcome: 'done', subject } as const
  await store.commit({ writes: [], audit: [entry] })
  await keyStore.destroy(key.keyUri, { who: `${actor.kind}:${actor.id}`, why: `the authority ${id} is over` })
}
