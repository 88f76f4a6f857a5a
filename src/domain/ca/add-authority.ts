// Adding authorities to a hierarchy that exists: under one of ours, under somebody else's (request out, certificate in), or certifying
// an authority that lives elsewhere. Recipes around `create-authority.ts`: each is one change of the store.
import type { Bytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import { documentDetail } from '../audit/document-detail.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { ChangeBuilder } from '../change-builder.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Random, Store } from '../ports.ts'
import type { AuthorityDirectory } from './authorities.ts'
import type { Authority } from './authority.ts'
import {
  type AuthorityPlan,
  authorityProfile,
  authorityProfileName,
  type CreatePorts,
  certifyRequest,
  createAwaiting,
  createSubordinate,
} from './create-authority.ts'
import { putIntoService } from './import-authority.ts'
import { certificateWrites } from './issuer.ts'
import { type Profile, parseProfile } from './profile.ts'
import type { IssuingAuthority } from './signing-authority.ts'

export interface AddPorts {
  readonly store: Store
  readonly authorities: AuthorityDirectory
  /** Where the new key is made. */
  readonly keyStore: KeyStore
  readonly random: Random
  readonly now: UnixSeconds
  readonly actor: AuditEntry['actor']
}

/**
 * An authority under one of ours, at once in service. The issuer comes with its key, which may be in another key store: an offline root's is
 * opened for this one act. Throws as `createSubordinate`; `authority.exists`.
 */
export async function addSubordinate(
  plan: AuthorityPlan,
  issuer: IssuingAuthority,
  ports: AddPorts,
): Promise<Authority> {
  const { store, keyStore, actor } = ports
  await checkVacant(plan, ports)
  const change = new ChangeBuilder()
  const { record } = await createSubordinate(plan, issuer, await createPorts(ports), change)
  await store.commit(change)
  await putIntoService(
    record.keyUri,
    keyStore,
    actor,
    `The authority ${record.id} was certified by ${issuer.record.id}.`,
  )
  return record
}

/**
 * An authority that waits for its certificate: returns the PKCS#10 request to carry to whoever signs it. `certificationRequestFor` makes
 * it again, `importAuthorityCertificate` takes the certificate in. Throws as `createAwaiting`; `authority.exists`.
 */
export async function addAwaiting(plan: AuthorityPlan, ports: AddPorts): Promise<Bytes> {
  await checkVacant(plan, ports)
  const change = new ChangeBuilder()
  const request = await createAwaiting(plan, await createPorts(ports), change)
  await ports.store.commit(change)
  return request
}

/**
 * Certifies an authority from its request, under one of ours: one that waits in this instance, or one of another instance. Of the request
 * only the key counts; the rest is the plan's (of one that waits here: the profile that was made for it). Throws as `certifyRequest`.
 */
export async function signAuthorityRequest(
  request: Uint8Array,
  plan: AuthorityPlan,
  issuer: IssuingAuthority,
  ports: Omit<AddPorts, 'keyStore'>,
): Promise<Bytes> {
  const { store, authorities, random, now, actor } = ports
  const change = new ChangeBuilder()
  const known = await store.read.document('profile', authorityProfileName(plan))
  let profile: Profile
  if (known) {
    profile = parseProfile(JSON.parse(known.body))
  } else {
    const derived = authorityProfile(plan, issuer.record.id, ports)
    profile = derived.profile
    change.write({ kind: 'document.insert', document: derived.document })
    change.record({
      at: now,
      actor,
      action: 'profile.changed',
      outcome: 'done',
      subject: { name: profile.name },
      detail: documentDetail(derived.document),
    })
  }
  const signed = await certifyRequest(request, profile, issuer, { settings: await authorities.settings(), random, now })
  const { write, audit } = certificateWrites(signed, change.position, { actor })
  change.write(write).record(audit)
  await store.commit(change)
  return signed.der
}

async function createPorts({ authorities, random, keyStore, now, actor }: AddPorts): Promise<CreatePorts> {
  return { settings: await authorities.settings(), random, keyStore, now, actor }
}

/** Before a key is made: the store would refuse the same id, but the key would be there. */
async function checkVacant(plan: AuthorityPlan, { authorities }: AddPorts): Promise<void> {
  if ((await authorities.byId(plan.id)) === undefined) return
  throw new TouchmarkError('authority.exists', 'conflict', `There is an authority ${plan.id} already.`, {
    next: 'Take the next generation: the number at the end of the id.',
    evidence: { authorityId: plan.id },
  })
}
