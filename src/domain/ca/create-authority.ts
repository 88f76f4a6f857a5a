// Making authorities: a root with its own signature, a subordinate under one of ours, or a key that waits for a certificate from elsewhere.
// Each is a recipe: make the key, prepare and sign through the same gate as every certificate, record everything in one change.
import type { Bytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { parseCertificate } from '../../core/pki/certificate.ts'
import {
  encodeCertificationRequestInfo,
  extensionRequestAttribute,
  parseCertificationRequest,
} from '../../core/pki/csr.ts'
import { encodeSigned } from '../../core/pki/signed.ts'
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import { assertOwnSignature, type Signer } from '../../crypto/signer.ts'
import { verifySignature } from '../../crypto/verify.ts'
import { documentDetail } from '../audit/document-detail.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { ChangeBuilder } from '../change-builder.ts'
import type { DocumentVersion } from '../document.ts'
import { type AuthorityId, keyId, type UnixSeconds } from '../ids.ts'
import type { Random } from '../ports.ts'
import type { AuthorityDirectory } from './authorities.ts'
import type { Authority } from './authority.ts'
import { catalogueProfile } from './catalogue.ts'
import { MAX_CRL_SHARDS } from './distribution-urls.ts'
import { certificateWrites } from './issuer.ts'
import { prepareCertificate } from './prepare.ts'
import { type Profile, parseProfile } from './profile.ts'
import type { ProfileConfig } from './profile-config.ts'
import type { Settings } from './settings.ts'
import { type SignedCertificate, signPrepared } from './sign.ts'
import type { IssuingAuthority, SigningAuthority } from './signing-authority.ts'
import type { TemplateValues } from './template.ts'

/** What an authority is to be. What is left out comes from the catalogue (`root`, `sub-ca`). */
export interface AuthorityPlan {
  /** `<name>-<generation>`: `idevid-1`. */
  readonly id: AuthorityId
  readonly kind: Authority['kind']
  readonly commonName: string
  readonly algorithm: KeyAlgorithmName
  readonly validity?: ProfileConfig['validity']
  /** Authorities that may follow below; `null`: any number. Issuing authorities: none. */
  readonly pathLength?: number | null
  readonly nameConstraints?: ProfileConfig['nameConstraints']
  readonly certificatePolicies?: ProfileConfig['certificatePolicies']
  readonly crlShards?: number
}

export interface CreatePorts {
  readonly settings: Settings
  readonly random: Random
  /** Where the new key is made. */
  readonly keyStore: KeyStore
  readonly now: UnixSeconds
  readonly actor: AuditEntry['actor']
}

/** A root: its key signs its own certificate. Throws as `prepareCertificate` and the key store. */
export async function createRoot(
  plan: AuthorityPlan,
  ports: CreatePorts,
  change: ChangeBuilder,
): Promise<IssuingAuthority> {
  const { profile, document } = authorityProfile(plan, plan.id, ports)
  const signer = await makeKey(plan, ports.keyStore)
  const self: SigningAuthority = { record: { id: plan.id, crlShards: 1 }, certificate: null, signer, chain: [] }
  const signed = await certify(profile, signer.publicKey, self, ports)
  return record(plan, document, signer, signed, null, ports, change)
}

/** An authority under one of ours: its key is made in `keyStore`, its certificate by `issuer`. Throws as `createRoot`. */
export async function createSubordinate(
  plan: AuthorityPlan,
  issuer: IssuingAuthority,
  ports: CreatePorts,
  change: ChangeBuilder,
): Promise<IssuingAuthority> {
  const { profile, document } = authorityProfile(plan, issuer.record.id, ports)
  const signer = await makeKey(plan, ports.keyStore)
  const request = await signRequest(profile, signer, ports.settings)
  const signed = await certifyRequest(request, profile, issuer, ports)
  return record(plan, document, signer, signed, issuer, ports, change)
}

/** An authority whose certificate will come from elsewhere: a key, a record that waits, and the request to carry there (PKCS#10). */
export async function createAwaiting(plan: AuthorityPlan, ports: CreatePorts, change: ChangeBuilder): Promise<Bytes> {
  if (plan.kind === 'root') throw planInvalid(plan, 'A root signs its own certificate and waits for none.')
  const { profile, document } = authorityProfile(plan, '*', ports)
  const signer = await makeKey(plan, ports.keyStore)
  change.write(
    { kind: 'document.insert', document },
    { kind: 'authority.insert', authority: newRecord(plan, signer, null, null, ports.now) },
  )
  recordCreation(plan, document, signer, ports, change)
  return signRequest(profile, signer, ports.settings)
}

/** The PKCS#10 request of an authority that waits, once more. Throws `authority.not_awaiting`, and what the key store throws. */
export async function certificationRequestFor(
  id: AuthorityId,
  ports: { readonly authorities: AuthorityDirectory; readonly keyStore: Pick<KeyStore, 'signer'> },
): Promise<Bytes> {
  const { authorities, keyStore } = ports
  const record = await authorities.byId(id)
  if (record?.state !== 'awaiting_certificate') {
    throw new TouchmarkError('authority.not_awaiting', 'conflict', `No authority ${id} waits for a certificate.`, {
      next: 'List the authorities with: touchmark authority list',
      evidence: { authorityId: id },
    })
  }
  const profile = await authorities.profile(authorityProfileName(record))
  return signRequest(profile, await keyStore.signer(record.keyUri), await authorities.settings())
}

/**
 * Certifies an authority from its request: the other half of `createAwaiting`, for whoever holds the issuer's key. Of the request only the
 * key counts; name and extensions are the profile's. Throws `csr.signature_invalid`, `DerError`, and as `prepareCertificate`.
 */
export async function certifyRequest(
  request: Uint8Array,
  profile: Profile,
  issuer: IssuingAuthority,
  ports: Pick<CreatePorts, 'settings' | 'random' | 'now'>,
): Promise<SignedCertificate> {
  const csr = parseCertificationRequest(request)
  const spki = csr.subjectPublicKeyInfo.raw
  if (!verifySignature(spki, csr.signatureAlgorithm, csr.tbs, csr.signature)) {
    throw new TouchmarkError('csr.signature_invalid', 'malformed', 'The signature of the request does not verify.', {
      next: 'Have the request made again by whoever holds the key.',
    })
  }
  return certify(profile, spki, issuer, ports)
}

/** The name under which the profile of an authority's own certificate is stored. */
export function authorityProfileName({ id, kind }: Pick<Authority, 'id' | 'kind'>): string {
  return `${kind === 'root' ? 'root' : 'sub-ca'}.${id}`
}

/**
 * The profile of one authority's certificate, derived from the catalogue: a document like others, so that what was signed can be read
 * off the store. `issuer` is an authority id or `*`.
 */
export function authorityProfile(
  plan: AuthorityPlan,
  issuer: string,
  ports: Pick<CreatePorts, 'now'>,
): { readonly profile: Profile; readonly document: DocumentVersion } {
  const isRoot = plan.kind === 'root'
  const base = catalogueProfile(isRoot ? 'root' : 'sub-ca')!
  const pathLength = plan.pathLength === undefined ? (plan.kind === 'issuing' ? 0 : null) : plan.pathLength
  checkPlan(plan, pathLength)
  const config: ProfileConfig = {
    ...base,
    name: authorityProfileName(plan),
    version: 1,
    description: `The certificate of the authority ${plan.id}.`,
    authority: issuer,
    validity: plan.validity ?? base.validity,
    subject: [{ O: '{settings.organization}' }, { CN: plan.commonName.replace(/[{}]/g, '$&$&') }],
    keyAlgorithms: [plan.algorithm],
    basicConstraints: { cA: true, ...(pathLength === null ? {} : { pathLenConstraint: pathLength }) },
    ...(plan.nameConstraints && { nameConstraints: plan.nameConstraints }),
    ...(plan.certificatePolicies && { certificatePolicies: plan.certificatePolicies }),
  }
  const profile = parseProfile(config)
  const body = JSON.stringify(config, null, 2)
  return { profile, document: { kind: 'profile', name: profile.name, version: 1, body, createdAt: ports.now } }
}

function checkPlan(plan: AuthorityPlan, pathLength: number | null): void {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*-[1-9][0-9]{0,5}$/.test(plan.id) || plan.id.length > 48) {
    throw planInvalid(plan, 'The id is a name in small letters and digits, a hyphen and a generation: idevid-1.')
  }
  if (plan.kind === 'issuing' && pathLength !== 0) {
    throw planInvalid(plan, 'An issuing authority has path length 0: it certifies no other CA.')
  }
  if (plan.kind === 'intermediate' && pathLength === 0) {
    throw planInvalid(plan, 'An intermediate authority needs a path length of 1 or more.')
  }
  const shards = plan.crlShards ?? 1
  if (!Number.isInteger(shards) || shards < 1 || shards > MAX_CRL_SHARDS) {
    throw planInvalid(plan, `The CRL shards are a number from 1 to ${MAX_CRL_SHARDS}.`)
  }
}

function planInvalid(plan: AuthorityPlan, message: string): TouchmarkError {
  return new TouchmarkError('authority.plan_invalid', 'malformed', `The authority cannot be made. ${message}`, {
    next: 'Correct that and try again; no key was made. See: touchmark authority create --help',
    evidence: { authorityId: plan.id },
  })
}

/**
 * The key with the authority's id as label. A key that is there already, of this algorithm and never put into service, is what an earlier
 * run made before it was interrupted: it is used, so that the run can be repeated.
 */
async function makeKey(plan: AuthorityPlan, keyStore: KeyStore): Promise<Signer> {
  const known = (await keyStore.list()).find(key => key.label === plan.id)
  if (known?.state === 'generated' && known.algorithm === plan.algorithm) return keyStore.signer(known.keyUri)
  const { keyUri } = await keyStore.generate(plan.algorithm, plan.id)
  return keyStore.signer(keyUri)
}

async function certify(
  profile: Profile,
  spki: Uint8Array,
  authority: SigningAuthority,
  ports: Pick<CreatePorts, 'settings' | 'random' | 'now'>,
): Promise<SignedCertificate> {
  const { now } = ports
  const prepared = prepareCertificate({ profile, device: null, spki, replaces: null, now }, authority, ports)
  return signPrepared(prepared, authority.signer)
}

/** What the templates of an authority's profile may read: the settings, and nothing else. */
export function settingsValues(settings: Settings): TemplateValues {
  return {
    device: null,
    request: {},
    fields: {},
    settings: { organization: settings.organization, hardwareType: settings.hardwareType(null) },
  }
}

/** PKCS#10 with the name and the extensions that the profile gives, for issuers who look at them (RFC 2986, RFC 2985 §5.4.2). */
async function signRequest(profile: Profile, signer: Signer, settings: Settings): Promise<Bytes> {
  const info = encodeCertificationRequestInfo({
    subject: profile.subject(settingsValues(settings)),
    subjectPublicKeyInfo: signer.publicKey,
    attributes: [extensionRequestAttribute(profile.constantExtensions)],
  })
  const signature = await signer.sign(info)
  assertOwnSignature(signer, info, signature)
  return encodeSigned(info, signer.algorithm.algorithmIdentifier, signature)
}

/** Puts a certified authority on record: its profile, itself, its certificate, and who did it. */
function record(
  plan: AuthorityPlan,
  document: DocumentVersion,
  signer: Signer,
  signed: SignedCertificate,
  issuer: IssuingAuthority | null,
  ports: CreatePorts,
  change: ChangeBuilder,
): IssuingAuthority {
  const authority = newRecord(plan, signer, signed, issuer?.record.id ?? plan.id, ports.now)
  change.write({ kind: 'document.insert', document }, { kind: 'authority.insert', authority })
  recordCreation(plan, document, signer, ports, change)
  const { write, audit } = certificateWrites(signed, change.position, { actor: ports.actor })
  change.write(write).record(audit)
  const chain = issuer === null ? [] : [issuer.certificate, ...issuer.chain]
  return { record: authority, certificate: parseCertificate(signed.der), signer, chain }
}

function newRecord(
  plan: AuthorityPlan,
  signer: Signer,
  signed: SignedCertificate | null,
  issuer: AuthorityId | null,
  now: UnixSeconds,
): Authority {
  return {
    id: plan.id,
    kind: plan.kind,
    state: signed === null ? 'awaiting_certificate' : 'active',
    certificate: signed?.der ?? null,
    issuer,
    chainAbove: [],
    keyUri: signer.keyUri,
    generation: Number(plan.id.slice(plan.id.lastIndexOf('-') + 1)),
    crlShards: plan.crlShards ?? 1,
    createdAt: now,
  }
}

function recordCreation(
  plan: AuthorityPlan,
  document: DocumentVersion,
  signer: Signer,
  { now, actor }: CreatePorts,
  change: ChangeBuilder,
): void {
  const act = { at: now, actor, outcome: 'done' } as const
  const key = keyId(sha256(signer.publicKey))
  change.record({ ...act, action: 'keystore.key_generated', subject: { keyId: key, keyUri: signer.keyUri } })
  change.record({
    ...act,
    action: 'profile.changed',
    subject: { name: document.name },
    detail: documentDetail(document),
  })
  change.record({
    ...act,
    action: 'authority.created',
    subject: { authorityId: plan.id, keyId: key },
    detail: { keyAlgorithm: signer.keyAlgorithm, kind: plan.kind, crlShards: plan.crlShards ?? 1 },
  })
}
