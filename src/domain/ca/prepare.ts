// From a decision to the octets that will be signed: profile + subject + serial number + time make a TBSCertificate, which is linted as
// encoded. The result is a `PreparedCertificate`, the only thing that `sign.ts` takes, and only this file can make one.
import { NO_EXPIRY } from '../../core/asn1/time.ts'
import { type Bytes, copyBytes, equalBytes } from '../../core/bytes/bytes.ts'
import { type Allocate, allocateTogether } from '../../core/bytes/slab.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { encodeTbsCertificate } from '../../core/pki/certificate.ts'
import type { Extension } from '../../core/pki/extension.ts'
import { encodeSubjectAltName, encodeSubjectKeyIdentifier, extension } from '../../core/pki/extensions.ts'
import { OID } from '../../core/pki/oids.ts'
import type { SignatureAlgorithm } from '../../crypto/algorithms.ts'
import { sha1, sha256 } from '../../crypto/digest.ts'
import { drawnForNeighbours } from '../../crypto/random.ts'
import type { Signer } from '../../crypto/signer.ts'
import { newSerialNumber, type UnixSeconds } from '../ids.ts'
import type { Random } from '../ports.ts'
import { crlShardOf } from './distribution-urls.ts'
import { issuanceOf } from './issuance.ts'
import type { CertificateFacts, IssuanceRequest } from './issuance-request.ts'
import { lintGate } from './lint-gate.ts'
import type { Profile } from './profile.ts'
import type { Settings } from './settings.ts'
import { assertActive, type SigningAuthority } from './signing-authority.ts'
import { SubjectKey } from './subject-key.ts'
import type { TemplateValues } from './template.ts'

export interface PreparePorts {
  readonly settings: Settings
  readonly random: Random
  /** The last second of issue that a status artefact covers: nothing is issued in it or before, whatever the clock says. Absent: none is. */
  readonly coveredUntil?: UnixSeconds
  /** Where the octets to be signed are put; by default each into a buffer of its own. */
  readonly allocate?: Allocate
}

/** What `sign.ts` gets for a prepared certificate, once. */
export interface RedeemedTbs {
  readonly tbs: Bytes
  readonly algorithm: SignatureAlgorithm
  readonly facts: CertificateFacts
}

interface PreparedState extends RedeemedTbs {
  /** SubjectPublicKeyInfo of the key that has to sign. */
  readonly signerSpki: Uint8Array
}

/** Known to this file only: without it the constructor below refuses. */
const MINT = Symbol('PreparedCertificate')

let mint: (state: PreparedState) => PreparedCertificate
let peekState: (prepared: PreparedCertificate) => PreparedState | undefined
let dropState: (prepared: PreparedCertificate) => void

/**
 * A TBSCertificate that passed the lint gate and may be signed once, by the authority that it names. Nothing outside this file can make
 * one: the constructor asks for a symbol that is not exported, and what it holds is private to the engine, not to the type checker only.
 */
export class PreparedCertificate {
  #state: PreparedState | undefined
  readonly facts: CertificateFacts

  private constructor(key: symbol, state: PreparedState) {
    if (key !== MINT) {
      throw new TouchmarkError('issuance.not_prepared', 'internal', 'Only the lint gate makes a prepared certificate.')
    }
    this.#state = state
    this.facts = state.facts
    Object.freeze(this)
  }

  static {
    mint = state => new PreparedCertificate(MINT, state)
    peekState = prepared => prepared.#state
    dropState = prepared => {
      prepared.#state = undefined
    }
  }

  /** A copy of the octets that will be signed; `undefined` after they were. */
  tbs(): Bytes | undefined {
    const state = this.#state
    return state && copyBytes(state.tbs)
  }
}

/**
 * Gives up what is to be signed, once, to the holder of the authority's key. For `sign.ts`.
 * Throws `issuance.wrong_signer` (the certificate stays prepared), `issuance.already_redeemed`.
 */
export function redeem(prepared: PreparedCertificate, signer: Signer): RedeemedTbs {
  return redeemMany([prepared], signer)[0]!
}

/** As `redeem` for each; where one cannot be redeemed, none is. */
export function redeemMany(prepared: readonly PreparedCertificate[], signer: Signer): RedeemedTbs[] {
  const seen = new Set<PreparedCertificate>()
  const states = prepared.map(each => {
    const state = seen.has(each) ? undefined : peekState(each)
    seen.add(each)
    if (state === undefined) {
      throw new TouchmarkError('issuance.already_redeemed', 'internal', 'A prepared certificate is signed once.', {
        evidence: { serialNumber: each.facts.serialNumber },
      })
    }
    if (state.signerSpki !== signer.publicKey && !equalBytes(state.signerSpki, signer.publicKey)) {
      throw new TouchmarkError(
        'issuance.wrong_signer',
        'internal',
        'The certificate was prepared for another authority.',
        { evidence: { authorityId: state.facts.authorityId } },
      )
    }
    return state
  })
  for (const each of prepared) dropState(each)
  return states
}

/**
 * Makes the TBSCertificate for a decision and passes it through the lint gate.
 *
 * Errors: `authority.not_active`, `authority.expired`, `profile.key_not_allowed`, `profile.holder_mismatch`,
 * `profile.signature_unavailable`, `profile.value_missing`, `profile.value_too_long`, `profile.name_invalid`,
 * `profile.request_not_allowed`, `name.value_invalid`, `lint.failed` with every finding; `DerError` and
 * `key.algorithm_unsupported` for a key or wish that cannot be read.
 */
export function prepareCertificate(
  request: IssuanceRequest,
  authority: SigningAuthority,
  ports: PreparePorts,
): PreparedCertificate {
  const { profile, now } = request
  if (authority.certificate !== null) assertActive(authority.record)
  const issuance = issuanceOf(profile, authority, ports.settings)
  const { spki } = request
  const key = readKey(request)
  checkHolder(request)
  const serial = newSerialNumber(Math.max(now, (ports.coveredUntil ?? -1) + 1), ports.random)
  const crlShard = crlShardOf(serial.octets, authority.record.crlShards)
  const { notBefore, notAfter } = validity(profile, authority, now)

  const base: TemplateValues = {
    device: request.device,
    request: {},
    fields: request.subjectFields ?? {},
    settings: {
      organization: ports.settings.organization,
      hardwareType: ports.settings.hardwareType(request.device?.model ?? null),
    },
  }
  const values = { ...base, request: profile.influence.readSubject(request.requestedSubject, base) }
  const subject = profile.subject(values)
  const names = profile.subjectAltName(values)
  if (request.requestedExtensions) names.push(...profile.influence.addNames(names, request.requestedExtensions, values))
  if (names.length === 0 && profile.config.subjectAltName.required) {
    throw new TouchmarkError(
      'profile.value_missing',
      'malformed',
      'The profile needs at least one subjectAltName, and no value makes one.',
      {
        next: 'Give the device the labels, or the certificate the fields, that the profile names.',
        evidence: { profile: profile.name },
      },
    )
  }
  const extensions: Extension[] = []
  if (names.length > 0) {
    // RFC 5280 §4.2.1.6: critical where the subject is empty.
    extensions.push(extension(OID.subjectAltName, subject.length === 2, encodeSubjectAltName(names)))
  }
  const keyIdentifier = subjectKeyIdentifier(profile, key.publicKey)
  if (keyIdentifier)
    extensions.push(extension(OID.subjectKeyIdentifier, false, encodeSubjectKeyIdentifier(keyIdentifier)))
  extensions.push(...profile.variableExtensions(values))

  const shared = issuance.shard(crlShard)
  const issuer = authority.certificate?.subject.raw ?? subject
  if (profile.influence.strict) {
    profile.influence.checkRest(
      { subject: request.requestedSubject, extensions: request.requestedExtensions ?? [] },
      { subject, extensions: [...shared.extensions, ...extensions] },
    )
  }
  const tbs = encodeTbsCertificate(
    {
      serialNumber: serial.octets,
      signatureAlgorithm: issuance.algorithm.algorithmIdentifier,
      issuer,
      notBefore,
      notAfter,
      subject,
      subjectPublicKeyInfo: spki,
      precompiledExtensions: shared.compiled,
      extensions,
    },
    ports.allocate,
  )
  const facts: CertificateFacts = Object.freeze({
    authorityId: authority.record.id,
    serialNumber: serial.text,
    deviceId: request.device?.id ?? null,
    profile: profile.name,
    profileVersion: profile.version,
    keyId: key.id,
    keyAlgorithm: key.algorithm,
    notBefore,
    notAfter,
    crlShard,
    isAuthority: profile.holder === 'authority',
    replaces: request.replaces,
    issuedAt: now,
  })
  lintGate(tbs, {
    request,
    authority,
    settings: ports.settings,
    facts,
    shared,
    serialNumber: serial.octets,
    issuer,
    subject,
    variableExtensions: extensions,
  })
  return mint({ tbs, algorithm: issuance.algorithm, facts, signerSpki: authority.signer.publicKey })
}

/**
 * As `prepareCertificate` for each, with one outcome each: one that fails takes nothing from the others. Their serial numbers are drawn at
 * once and are neighbours: docs/adr/0004-serial-numbers.md.
 */
export function prepareMany(
  requests: readonly IssuanceRequest[],
  authority: SigningAuthority,
  ports: PreparePorts,
): (PreparedCertificate | Error)[] {
  const random = drawnForNeighbours(ports.random, requests.length * SERIAL_RANDOM_OCTETS)
  const drawn = { ...ports, random, allocate: allocateTogether() }
  return requests.map(request => {
    try {
      return prepareCertificate(request, authority, drawn)
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(String(thrown))
    }
  })
}

/** What `newSerialNumber` draws. */
const SERIAL_RANDOM_OCTETS = 12

function readKey({ profile, spki, key: read }: IssuanceRequest): SubjectKey {
  const key = read?.spki === spki ? read : new SubjectKey(spki)
  if (!profile.keyAlgorithms.includes(key.algorithm)) {
    throw new TouchmarkError(
      'profile.key_not_allowed',
      'forbidden',
      `The profile ${profile.name} does not allow ${key.algorithm} keys.`,
      {
        next: `Use one of ${profile.keyAlgorithms.join(', ')}.`,
        evidence: { profile: profile.name, keyAlgorithm: key.algorithm },
      },
    )
  }
  return key
}

function checkHolder({ profile, device }: IssuanceRequest): void {
  if ((profile.holder === 'device') !== (device !== null)) {
    throw new TouchmarkError(
      'profile.holder_mismatch',
      'forbidden',
      `The profile ${profile.name} is for the holder "${profile.holder}".`,
      {
        evidence: { profile: profile.name },
      },
    )
  }
}

/**
 * notBefore is the time of issue less the backdating, notAfter the last good second (RFC 5280 §4.1.2.5). Neither leaves the validity of the
 * issuer, but for the value that means "no well-defined end": it is no time that could lie after another one (docs/profiles.md).
 */
function validity(
  profile: Profile,
  authority: SigningAuthority,
  now: UnixSeconds,
): { notBefore: UnixSeconds; notAfter: UnixSeconds } {
  const issuer = authority.certificate
  if (issuer !== null && (now < issuer.notBefore || now > issuer.notAfter)) {
    throw new TouchmarkError(
      'authority.expired',
      'unavailable',
      `The certificate of ${authority.record.id} is not valid at this time.`,
      {
        evidence: { now, notBefore: issuer.notBefore, notAfter: issuer.notAfter },
      },
    )
  }
  const notBefore = Math.max(now - profile.backdateSeconds, issuer?.notBefore ?? 0)
  if (profile.lifetimeSeconds === null) return { notBefore, notAfter: NO_EXPIRY }
  return { notBefore, notAfter: Math.min(now + profile.lifetimeSeconds - 1, issuer?.notAfter ?? NO_EXPIRY) }
}

/** RFC 7093 §2 method 1 (the leftmost 160 bits of SHA-256) or RFC 5280 §4.2.1.2 method 1, over the content of the BIT STRING. */
function subjectKeyIdentifier(profile: Profile, publicKey: Uint8Array): Uint8Array | undefined {
  const method = profile.config.subjectKeyIdentifier
  switch (method) {
    case 'sha256':
      return sha256(publicKey).slice(0, 20)
    case 'sha1':
      return sha1(publicKey)
    case 'absent':
      return undefined
    default:
      return method satisfies never
  }
}
