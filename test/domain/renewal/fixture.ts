// Devices that renew in a test: through the very evidence and the very recipe that EST uses, without the sockets.
import assert from 'node:assert/strict'
import { parseCertificationRequest } from '../../../src/core/pki/csr.ts'
import type { KeyAlgorithmName } from '../../../src/crypto/algorithms.ts'
import { generateKeyPair, type PrivateKey } from '../../../src/crypto/keys.ts'
import { documentDetail } from '../../../src/domain/audit/document-detail.ts'
import { catalogueProfile } from '../../../src/domain/ca/catalogue.ts'
import { type CertificateRecord, isLive } from '../../../src/domain/ca/certificate-record.ts'
import type { ProfileConfig } from '../../../src/domain/ca/profile-config.ts'
import type { Device } from '../../../src/domain/device/device.ts'
import { enrol, refuseEnrolment } from '../../../src/domain/ra/enrol.ts'
import { evidenceForRenewal } from '../../../src/domain/ra/renewal-evidence.ts'
import type { Credential } from '../../../src/domain/renewal/credential.ts'
import { certify, OPERATOR, registerDevice, renewalCsrDer, type TestInstance } from '../../support/instance.ts'

export const DAY = 86_400

export interface Holder {
  readonly device: Device
  readonly key: PrivateKey
  readonly record: CertificateRecord
}

/** A device in the field with its operational certificate. */
export async function fieldDevice(instance: TestInstance, profile = 'ldevid', key?: PrivateKey): Promise<Holder> {
  const device = await registerDevice(instance, { state: 'active' })
  const own = key ?? (await generateKeyPair('P-256'))
  return { device, key: own, record: await certify(instance, device, own, profile) }
}

export interface RenewalWish {
  readonly key?: PrivateKey
  readonly algorithm?: KeyAlgorithmName
  readonly profile?: string
}

/** Renews over what the holder holds; answers what it holds then, or the code of the refusal. */
export async function renew(instance: TestInstance, holder: Holder, wish: RenewalWish = {}): Promise<Holder | string> {
  const key = wish.key ?? (await generateKeyPair(wish.algorithm ?? 'P-256'))
  const finding = await evidenceForRenewal(instance).fromCertificates([holder.record.der], instance.clock.now())
  const common = { protocol: 'test', operation: 'renew', address: '127.0.0.1' } as const
  if (finding.kind === 'refused') {
    const denied = await refuseEnrolment({ ...common, evidence: [] }, finding.refusal, finding.detail, instance)
    return denied.code
  }
  assert.equal(finding.kind, 'evidence')
  const outcome = await enrol(
    {
      ...common,
      profile: wish.profile ?? holder.record.profile,
      csr: parseCertificationRequest(renewalCsrDer(key, holder.record.der)),
      evidence: finding.kind === 'evidence' ? [finding.evidence] : [],
      channelBinding: false,
    },
    instance,
  )
  if (outcome.kind === 'denied') return outcome.code
  assert.equal(outcome.kind, 'issued')
  return outcome.kind === 'issued' ? { device: holder.device, key, record: outcome.record } : ''
}

/** As `renew`, where it must succeed. */
export async function renewed(instance: TestInstance, holder: Holder, wish: RenewalWish = {}): Promise<Holder> {
  const outcome = await renew(instance, holder, wish)
  assert.ok(typeof outcome !== 'string', `refused: ${outcome}`)
  return outcome
}

export async function credentialOf(
  instance: TestInstance,
  { device }: Holder,
  profile = 'ldevid',
): Promise<Credential> {
  const credential = await instance.store.read.credential(device.id, profile)
  assert.ok(credential, 'the device has a credential')
  return credential
}

/** Serial numbers of what relying parties believe of the device under the profile, newest first. */
export async function goodCertificates(
  instance: TestInstance,
  { device }: Pick<Holder, 'device'>,
  profile = 'ldevid',
): Promise<string[]> {
  const records = await instance.store.read.certificatesOfDevice(device.id)
  const now = instance.clock.now()
  return records.filter(each => each.profile === profile && isLive(each, now)).map(each => each.serialNumber)
}

export async function statusOf(instance: TestInstance, { record }: Holder): Promise<string> {
  const { status } = (await instance.store.read.certificate(record.authorityId, record.serialNumber))!
  return status.kind === 'revoked' ? `revoked: ${status.reason}` : status.kind
}

/** Puts a profile into force: one of the catalogue with changes. */
export async function useProfile(instance: TestInstance, base: string, changes: Partial<ProfileConfig>): Promise<void> {
  const at = instance.clock.now()
  const name = changes.name ?? base
  const version = ((await instance.store.read.document('profile', name))?.version ?? 0) + 1
  const config = { ...catalogueProfile(base)!, ...changes, version }
  const document = { kind: 'profile', name, version, body: JSON.stringify(config), createdAt: at } as const
  await instance.store.commit({
    writes: [{ kind: 'document.insert', document }],
    audit: [
      {
        at,
        actor: OPERATOR,
        action: 'profile.changed',
        outcome: 'done',
        subject: { name },
        detail: documentDetail(document),
      },
    ],
  })
}
