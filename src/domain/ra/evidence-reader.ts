// From what a requester presents to evidence: a client certificate chain, or a device's serial number with a one-time token.
// Status is asked from the store at every call, so that a revocation bites on connections and TLS sessions that are already open.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { fromHex, toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate, readCertificateSerialNumber } from '../../core/pki/certificate.ts'
import { namesEqual } from '../../core/pki/name.ts'
import { validateChain } from '../../core/pki/path.ts'
import { type KeyAlgorithmName, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import { equalSecrets } from '../../crypto/constant-time.ts'
import { sha256 } from '../../crypto/digest.ts'
import { verifySignature } from '../../crypto/verify.ts'
import type { CertificateRecord, CertificateStatus } from '../ca/certificate-record.ts'
import { type Device, mayEnrol } from '../device/device.ts'
import type { DeviceKey } from '../device/device-key.ts'
import { type KeyId, keyId, serialNumber, type UnixSeconds } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import { DocumentCache } from './document-cache.ts'
import type { Evidence, ManufacturerCertificateEvidence, OwnCertificateEvidence } from './evidence.ts'
import { type Refusal, type RefusalCode, refusal } from './refusal.ts'
import { hashTokenSecret } from './token.ts'
import { type ClaimedIdentity, claimedIdentity, parseTrustAnchors, type TrustAnchors } from './trust-anchors.ts'

export type EvidenceFinding =
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  /** Nothing was presented. */
  | { readonly kind: 'none' }
  /** What was presented is not acceptable. `detail` is for the audit log and names no secret. */
  | RefusedEvidence

export interface RefusedEvidence {
  readonly kind: 'refused'
  readonly refusal: Refusal
  readonly detail: Readonly<Record<string, string>>
  /** The certificate of ours that was revoked or is on hold, over whatever key: no evidence, but it says who asks. */
  readonly shown?: OwnCertificateEvidence
}

type Refused = RefusedEvidence

/** Characters of a serial number and of a token that are looked up at all; both are shorter. */
const MAX_CREDENTIAL = 256
/** What looking for the path of a manufacturer's certificate may cost: anybody can connect with one, and each set of anchors is asked. */
const STRANGERS_BUDGET = { signatures: 16, nodes: 128 }

export class EvidenceReader {
  readonly #store: StoreReader
  /** A connection presents the same octets with each request: they are parsed once. */
  readonly #certificates = new WeakMap<Uint8Array, Certificate>()
  readonly #trustAnchors = new DocumentCache<TrustAnchors>(parseTrustAnchors)

  constructor(store: StoreReader) {
    this.#store = store
  }

  /**
   * The client certificate as evidence. The caller answers for the proof of possession: TLS verified CertificateVerify.
   * `certificates`: leaf first, then what came along.
   */
  async fromCertificates(certificates: readonly Uint8Array[], now: UnixSeconds): Promise<EvidenceFinding> {
    const [leafDer, ...others] = certificates
    if (leafDer === undefined) return { kind: 'none' }
    const serial = serialNumberOf(leafDer)
    if (serial === undefined) return refused('evidence.certificate_malformed')
    const records = await this.#store.certificatesBySerial(serialNumber(serial))
    const record = records.find(candidate => equalBytes(candidate.der, leafDer))
    // What we issued was read before it was signed: it is told by its octets.
    if (record) return this.#ownCertificate(record, now)
    const leaf = this.#parse(leafDer)
    if (leaf === undefined) return refused('evidence.certificate_malformed')
    if (await this.#isSignedByUs(leaf))
      return refused('evidence.certificate_unrecorded', { serialNumber: leaf.serialNumber })
    return this.#foreignCertificate(leaf, others, now)
  }

  /** HTTP Basic: the device's serial number and its one-time token. Unknown and mismatched are told apart nowhere. */
  async fromToken(userName: string, secret: string): Promise<EvidenceFinding> {
    if (userName.length > MAX_CREDENTIAL || secret.length > MAX_CREDENTIAL) return refused('token.invalid')
    const secretHash = hashTokenSecret(secret)
    const token = await this.#store.tokenByHash(secretHash)
    // The index may compare as it likes: it sees a hash of the secret. The answer depends on this comparison.
    if (token === undefined || !equalSecrets(fromHex(token.secretHash), fromHex(secretHash)))
      return refused('token.invalid')
    const device = await this.#store.device(token.deviceId)
    if (device === undefined || !equalSecrets(toUtf8(device.serialNumber), toUtf8(userName)))
      return refused('token.invalid')
    return { kind: 'evidence', evidence: { kind: 'token', token, device } }
  }

  /** The same evidence as it stands now: for a recipe that met somebody else's change. */
  async refresh(
    evidence: readonly Evidence[],
    now: UnixSeconds,
  ): Promise<{ readonly kind: 'evidence'; readonly evidence: readonly Evidence[] } | Refused> {
    const fresh: Evidence[] = []
    for (const piece of evidence) {
      const finding = await this.#refreshOne(piece, now)
      if (finding.kind === 'refused') return finding
      if (finding.kind === 'evidence') fresh.push(finding.evidence)
    }
    return { kind: 'evidence', evidence: fresh }
  }

  async #refreshOne(piece: Evidence, now: UnixSeconds): Promise<EvidenceFinding> {
    switch (piece.kind) {
      case 'own-certificate': {
        const { authorityId, serialNumber } = piece.record
        const record = await this.#store.certificate(authorityId, serialNumber)
        const finding = record ? await this.#ownCertificate(record, now) : refused('evidence.certificate_unrecorded')
        // What counted although it was superseded (`renewal-evidence.ts`) is for the decision to judge again.
        const shown = piece.record.status.kind === 'revoked' && finding.kind === 'refused' ? finding.shown : undefined
        return shown && keyMaySpeak(shown) ? { kind: 'evidence', evidence: shown } : finding
      }
      case 'manufacturer-certificate': {
        const known = await this.#manufacturerDevice(piece, piece.keyId, { fingerprint: piece.fingerprint })
        return 'refusal' in known ? known : { kind: 'evidence', evidence: { ...piece, ...known } }
      }
      case 'token': {
        const [token, device] = await Promise.all([
          this.#store.tokenByHash(piece.token.secretHash),
          this.#store.device(piece.device.id),
        ])
        return token && device ? { kind: 'evidence', evidence: { ...piece, token, device } } : refused('token.invalid')
      }
      case 'operator': {
        const device = await this.#store.device(piece.device.id)
        return device ? { kind: 'evidence', evidence: { ...piece, device } } : refused('device.unknown')
      }
      default:
        return piece satisfies never
    }
  }

  async #ownCertificate(record: CertificateRecord, now: UnixSeconds): Promise<EvidenceFinding> {
    const reference = { authorityId: record.authorityId, serialNumber: record.serialNumber }
    const ended = endOf(record.status)
    const holder = await this.#holderOf(record, now)
    if ('code' in holder) {
      return ended ? refused(ended.code, { ...reference, ...ended.detail }) : refused(holder.code, reference)
    }
    const { device, key } = holder
    const keyRefusal = judgeKey(key ?? undefined)
    // What is the matter with the device says more than what that did to its certificates and keys.
    const deviceRefusal = ended || keyRefusal ? judgeDevice(device) : undefined
    if (deviceRefusal) return refused(deviceRefusal, reference)
    if (ended) return { ...refused(ended.code, { ...reference, ...ended.detail }), shown: holder }
    return keyRefusal ? refused(keyRefusal, reference) : { kind: 'evidence', evidence: holder }
  }

  /** What the certificate would be evidence of if it were good and its key, too. */
  async #holderOf(
    record: CertificateRecord,
    now: UnixSeconds,
  ): Promise<OwnCertificateEvidence | { readonly code: RefusalCode }> {
    if (record.notBefore > now) return { code: 'evidence.certificate_not_yet_valid' }
    if (record.deviceId === null) return { code: 'evidence.certificate_not_of_device' }
    const [device, key] = await Promise.all([this.#store.device(record.deviceId), this.#store.key(record.keyId)])
    if (device === undefined) return { code: 'device.unknown' }
    const expiredForSeconds = Math.max(0, now - record.notAfter)
    return { kind: 'own-certificate', record, device, key: key ?? null, expiredForSeconds }
  }

  async #foreignCertificate(
    leaf: Certificate,
    others: readonly Uint8Array[],
    now: UnixSeconds,
  ): Promise<EvidenceFinding> {
    const intermediates = others.map(der => this.#parse(der)).filter(certificate => certificate !== undefined)
    const fingerprint = toHex(sha256(leaf.raw))
    let reason: RefusalCode = 'evidence.issuer_unknown'
    let pathCode = 'path.no_issuer'
    for (const document of await this.#store.documents('trust-anchors')) {
      const anchors = this.#trustAnchors.value(document)
      const result = validateChain({
        leaf,
        intermediates,
        anchors: anchors.certificates,
        at: now,
        verify: verifySignature,
        purpose: 'client',
        budget: STRANGERS_BUDGET,
      })
      if (result.ok) return this.#manufacturerCertificate(leaf, fingerprint, anchors)
      if (result.code === 'path.no_issuer' || result.code === 'path.signature_invalid') continue
      reason = result.code === 'path.leaf_expired' ? 'evidence.certificate_expired' : 'evidence.path_invalid'
      pathCode = result.code
    }
    return refused(reason, { fingerprint, path: pathCode })
  }

  async #manufacturerCertificate(
    leaf: Certificate,
    fingerprint: string,
    anchors: TrustAnchors,
  ): Promise<EvidenceFinding> {
    const reference = { anchor: anchors.name, fingerprint }
    const claimed = readIdentity(anchors, leaf)
    if (claimed === undefined) return refused('evidence.identity_missing', reference)
    const spki = leaf.subjectPublicKeyInfo.raw
    const id = keyId(sha256(spki))
    const known = await this.#manufacturerDevice(claimed, id, reference)
    if ('refusal' in known) return known
    return {
      kind: 'evidence',
      evidence: {
        kind: 'manufacturer-certificate',
        anchor: anchors.name,
        ...claimed,
        fingerprint,
        keyId: id,
        keyAlgorithm: keyAlgorithmOf(spki),
        ...known,
      },
    }
  }

  /** The device that the certificate speaks for and what is known of its key, which may be the key of no other device. */
  async #manufacturerDevice(
    { model, serialNumber }: ClaimedIdentity,
    id: KeyId,
    reference: Readonly<Record<string, string>>,
  ): Promise<Pick<ManufacturerCertificateEvidence, 'device' | 'key'> | Refused> {
    const [device, key] = await Promise.all([this.#store.deviceBySerial(model, serialNumber), this.#store.key(id)])
    if (key && key.deviceId !== device?.id) return refused('evidence.key_known_elsewhere', { ...reference, keyId: id })
    const keyRefusal = judgeKey(key)
    if (keyRefusal) return refused(judgeDevice(device) ?? keyRefusal, reference)
    return { device: device ?? null, key: key ?? null }
  }

  /** A certificate that our key signed and our store does not know: a lost row, or somebody else with our key. */
  async #isSignedByUs(leaf: Certificate): Promise<boolean> {
    for (const authority of await this.#store.authorities()) {
      const issuer = authority.certificate && this.#parse(authority.certificate)
      if (!issuer || !namesEqual(issuer.subject, leaf.issuer)) continue
      if (verifySignature(issuer.subjectPublicKeyInfo.raw, leaf.signatureAlgorithm, leaf.tbs, leaf.signature))
        return true
    }
    return false
  }

  #parse(der: Uint8Array): Certificate | undefined {
    const known = this.#certificates.get(der)
    if (known) return known
    try {
      const certificate = parseCertificate(der)
      this.#certificates.set(der, certificate)
      return certificate
    } catch (cause) {
      if (cause instanceof TouchmarkError) return undefined
      throw cause
    }
  }
}

function serialNumberOf(certificate: Uint8Array): string | undefined {
  try {
    return readCertificateSerialNumber(certificate)
  } catch (cause) {
    if (cause instanceof TouchmarkError) return undefined
    throw cause
  }
}

function refused(code: RefusalCode, detail: Readonly<Record<string, string>> = {}): Refused {
  return { kind: 'refused', refusal: refusal(code), detail }
}

function endOf(
  status: CertificateStatus,
): { readonly code: RefusalCode; readonly detail: Readonly<Record<string, string>> } | undefined {
  switch (status.kind) {
    case 'good':
      return undefined
    case 'held':
      return { code: 'evidence.certificate_held', detail: {} }
    case 'revoked':
      return { code: 'evidence.certificate_revoked', detail: { reason: status.reason } }
    default:
      return status satisfies never
  }
}

/** Whether the key of what was shown counts, whatever became of the certificate. */
export function keyMaySpeak({ key }: OwnCertificateEvidence): boolean {
  return judgeKey(key ?? undefined) === undefined
}

/** Who gets nothing, whatever is shown. */
function judgeDevice(device: Device | undefined): 'device.suspended' | 'device.retired' | undefined {
  if (device === undefined || mayEnrol(device.state)) return undefined
  return device.state === 'suspended' ? 'device.suspended' : 'device.retired'
}

/** A key that may not be certified may not speak for the device either. */
function judgeKey(key: DeviceKey | undefined): RefusalCode | undefined {
  const state = key?.state
  switch (state) {
    case undefined:
    case 'generated':
    case 'established':
    case 'in_use':
      return undefined
    case 'suspended':
      return 'evidence.key_suspended'
    case 'archived':
    case 'compromised':
    case 'destroyed':
      return 'evidence.key_unusable'
    default:
      return state satisfies never
  }
}

/** A subject alternative name that is not DER names nobody. */
function readIdentity(anchors: TrustAnchors, leaf: Certificate): ClaimedIdentity | undefined {
  try {
    return claimedIdentity(anchors, leaf)
  } catch (cause) {
    if (cause instanceof TouchmarkError) return undefined
    throw cause
  }
}

function keyAlgorithmOf(spki: Uint8Array): KeyAlgorithmName | null {
  try {
    return keyAlgorithmOfSpki(spki)
  } catch {
    return null
  }
}
