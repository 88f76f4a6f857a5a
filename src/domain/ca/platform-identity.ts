// Keys and certificates that the platform holds for itself: TLS server, OCSP signers, the factory station. Found again by their profile, made
// where there is none, renewed before their end. One recipe for all; what differs is a plan.
import { copyBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { KeyInfo, KeyStore } from '../../crypto/key-store.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { type AuthorityId, keyId } from '../ids.ts'
import type { Clock, Store } from '../ports.ts'
import type { AuthorityDirectory } from './authorities.ts'
import { type CertificateRecord, isLive } from './certificate-record.ts'
import { type CertificateIssuer, certificateWrites } from './issuer.ts'

export interface PlatformIdentity {
  readonly record: CertificateRecord
  readonly certificate: Certificate
  readonly keyUri: string
}

export interface IdentityPlan {
  readonly profile: string
  /** Where the profile leaves the authority open. */
  readonly authority?: AuthorityId
  /** What the labels of its keys begin with; nothing else in the key store may. */
  readonly keyLabel: string
  readonly keyAlgorithm: KeyAlgorithmName
  readonly subjectFields: Readonly<Record<string, string>>
  /** Renewed when this share of its life is left, between 0 and 1. */
  readonly renewAtRemaining: number
  /** Who acts, for the log: `ocsp`, `server`, `factory`. */
  readonly actor: string
  /** Whether a certificate that was found is still the one that is wanted (its names, say). */
  readonly accepts?: (certificate: Certificate) => boolean
}

export interface IdentityPorts {
  readonly store: Store
  readonly keyStore: Pick<KeyStore, 'generate' | 'list' | 'destroy'>
  readonly authorities: AuthorityDirectory
  readonly issuer: CertificateIssuer
  readonly clock: Clock
}

/** Whether its time to be renewed has come. */
export function isIdentityDue(
  certificate: Pick<Certificate, 'notBefore' | 'notAfter'>,
  plan: Pick<IdentityPlan, 'renewAtRemaining'>,
  now: number,
): boolean {
  return certificate.notAfter - now < (certificate.notAfter - certificate.notBefore) * plan.renewAtRemaining
}

/** The newest live certificate of the plan whose key is in the key store. */
export async function findIdentity(plan: IdentityPlan, ports: IdentityPorts): Promise<PlatformIdentity | undefined> {
  const { store, keyStore, authorities, clock } = ports
  const issuing = plan.authority ?? (await authorities.issuing(await authorities.profile(plan.profile))).record.id
  const keys = new Map((await ownKeys(plan, keyStore)).map(key => [keyId(sha256(key.publicKey)), key]))
  const now = clock.now()
  for (const record of await store.read.platformCertificates(issuing, plan.profile)) {
    const key = keys.get(record.keyId)
    if (!key || !isLive(record, now)) continue
    const certificate = parseCertificate(copyBytes(record.der))
    if (plan.accepts && !plan.accepts(certificate)) continue
    return { record, certificate, keyUri: key.keyUri }
  }
  return undefined
}

/** A new key and its certificate, on record; `also` is further audit in the same change. */
export async function makeIdentity(
  plan: IdentityPlan,
  ports: IdentityPorts,
  also: (record: Pick<CertificateRecord, 'authorityId' | 'serialNumber'>) => readonly AuditEntry[] = () => [],
): Promise<PlatformIdentity> {
  const { store, keyStore, authorities, issuer, clock } = ports
  const now = clock.now()
  const { keyUri, publicKey } = await generateKey(plan, keyStore, now)
  const prepared = await issuer.prepare({
    profile: await authorities.profile(plan.profile),
    device: null,
    subjectFields: plan.subjectFields,
    spki: publicKey,
    replaces: null,
    now,
    ...(plan.authority ? { authority: plan.authority } : {}),
  })
  const signed = await issuer.sign(prepared)
  const actor = { kind: 'system', id: plan.actor } as const
  const { write, audit } = certificateWrites(signed, 0, { actor })
  const made: AuditEntry = {
    at: now,
    actor,
    action: 'keystore.key_generated',
    outcome: 'done',
    subject: { keyId: write.certificate.keyId, keyUri },
  }
  const { firstAuditIndex } = await store.commit({ writes: [write], audit: [audit, made, ...also(write.certificate)] })
  const record = { ...write.certificate, auditIndex: firstAuditIndex }
  return { record, certificate: parseCertificate(signed.der), keyUri }
}

/** The one in use, or a new one where there is none or its time has come. */
export async function ensureIdentity(plan: IdentityPlan, ports: IdentityPorts): Promise<PlatformIdentity> {
  const found = await findIdentity(plan, ports)
  return found && !isIdentityDue(found.certificate, plan, ports.clock.now()) ? found : makeIdentity(plan, ports)
}

/** Destroys all keys of the plan but the newest `keep`: what is gone cannot be stolen. The log says so first: a key is gone for good. */
export async function destroyOldKeys(
  plan: IdentityPlan,
  ports: Pick<IdentityPorts, 'keyStore' | 'store' | 'clock'>,
  keep: number,
): Promise<void> {
  const keys = await ownKeys(plan, ports.keyStore)
  keys.sort((a, b) => b.created - a.created || (a.label < b.label ? 1 : -1))
  for (const key of keys.slice(keep)) {
    const entry: AuditEntry = {
      at: ports.clock.now(),
      actor: { kind: 'system', id: plan.actor },
      action: 'keystore.key_destroyed',
      outcome: 'done',
      subject: { keyId: keyId(sha256(key.publicKey)), keyUri: key.keyUri },
    }
    await ports.store.commit({ writes: [], audit: [entry] })
    await ports.keyStore.destroy(key.keyUri, { who: plan.actor, why: 'its certificate was replaced' })
  }
}

async function ownKeys(plan: IdentityPlan, keyStore: Pick<KeyStore, 'list'>): Promise<KeyInfo[]> {
  const keys = await keyStore.list()
  return keys.filter(
    key => key.label.startsWith(plan.keyLabel) && (key.state === 'generated' || key.state === 'in-use'),
  )
}

/** Under the first label that is free: another process may make its key within the same second. */
async function generateKey(plan: IdentityPlan, keyStore: Pick<KeyStore, 'generate'>, now: number) {
  for (let serial = 0; ; serial++) {
    const label = `${plan.keyLabel}${now}${serial === 0 ? '' : `-${serial}`}`
    try {
      return await keyStore.generate(plan.keyAlgorithm, label)
    } catch (thrown) {
      if (!(thrown instanceof TouchmarkError) || thrown.code !== 'key.label_taken') throw thrown
    }
  }
}
