// What the registry knows for a verdict: our own hierarchy, trust anchor lists of other makers, and of each certificate that we issued its status,
// its device and its key. The hierarchy is parsed once for each change of it, so that a gateway may ask in every handshake.
import { copyBytes, equalBytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import { nameKey, namesEqual } from '../../core/pki/name.ts'
import type { RevocationStatus } from '../../core/pki/path.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { Device } from '../device/device.ts'
import type { DeviceKey } from '../device/device-key.ts'
import { type AuthorityId, keyId, serialNumber } from '../ids.ts'
import type { StoreReader } from '../ports.ts'
import { DocumentCache } from '../ra/document-cache.ts'
import { parseTrustAnchors, type TrustAnchors } from '../ra/trust-anchors.ts'
import type { StatusSource } from './status-evidence.ts'

export type RegistryReader = Pick<
  StoreReader,
  'configurationMarker' | 'authorities' | 'certificate' | 'device' | 'key' | 'document'
>

interface OwnAuthority {
  readonly id: AuthorityId
  readonly certificate: Certificate
}

export interface Hierarchy {
  readonly anchors: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
  readonly authorities: readonly OwnAuthority[]
}

/** What was found about one certificate. */
export interface Registered {
  readonly record: CertificateRecord
  readonly device: Device | undefined
}

/** Rows that one question reads. What a stranger sends along comes last, and what is not read is not believed. */
const MAX_LOOKED_UP = 64

export class VerdictRegistry {
  readonly #read: RegistryReader
  readonly #makers = new DocumentCache(parseTrustAnchors)
  #current: { readonly marker: number; readonly hierarchy: Hierarchy } | undefined

  constructor(read: RegistryReader) {
    this.#read = read
  }

  /** As it is in force at the moment of the call. */
  async hierarchy(): Promise<Hierarchy> {
    const marker = await this.#read.configurationMarker()
    if (this.#current?.marker !== marker) {
      this.#current = { marker, hierarchy: hierarchyOf(await this.#read.authorities()) }
    }
    return this.#current.hierarchy
  }

  /** Throws `trust_anchors.not_found`, `document.unreadable`. */
  async maker(name: string): Promise<TrustAnchors> {
    const document = await this.#read.document('trust-anchors', name)
    if (document !== undefined) return this.#makers.value(document)
    throw new TouchmarkError('trust_anchors.not_found', 'not_found', `There is no trust anchor list ${name}.`, {
      next: 'List them with: touchmark trust list',
    })
  }

  /** The key of the certificate where it is known here, whoever certified it. */
  async key({ subjectPublicKeyInfo }: Certificate): Promise<DeviceKey | undefined> {
    return this.#read.key(keyId(sha256(subjectPublicKeyInfo.raw)))
  }

  /** Looks up the leaf and what may stand above it, so that a path can be judged without waiting. */
  async lookUp(leaf: Certificate, above: readonly Certificate[], hierarchy: Hierarchy): Promise<LookedUp> {
    const { authorities, intermediates } = hierarchy
    const [own, others] = [new Set(intermediates), upwards(leaf, above)]
    const inTurn = [leaf, ...others.filter(each => own.has(each)), ...others.filter(each => !own.has(each))]
    const asked = inTurn
      .flatMap(certificate => authorities.map(authority => ({ certificate, authority })))
      .filter(({ certificate, authority }) => namesEqual(authority.certificate.subject, certificate.issuer))
      .slice(0, MAX_LOOKED_UP)
      .map(async ({ certificate, authority }) => {
        const record = await this.#read.certificate(authority.id, serialNumber(certificate.serialNumber))
        return { certificate, authority, record }
      })
    return new LookedUp(await Promise.all(asked), hierarchy, this.#read)
  }
}

/** Those among `above` that may stand in a path of the leaf, going by names. */
function upwards(leaf: Certificate, above: readonly Certificate[]): Certificate[] {
  const bySubject = Map.groupBy(above, ({ subject }) => nameKey(subject))
  const found = new Set([leaf])
  // A Set walks over what is added during the walk.
  for (const { issuer } of found) for (const each of bySubject.get(nameKey(issuer)) ?? []) found.add(each)
  found.delete(leaf)
  return [...found]
}

interface Lookup {
  readonly certificate: Certificate
  readonly authority: OwnAuthority
  readonly record: CertificateRecord | undefined
}

export interface Objection {
  readonly code: `registry.${string}`
  readonly message: string
}

const OBJECTIONS = {
  neverIssued: {
    code: 'registry.never_issued',
    message: 'Our own key signed this certificate, and we have no record of issuing it.',
  },
  otherCertificate: {
    code: 'registry.other_certificate',
    message: 'We issued another certificate under this serial number.',
  },
  notAsked: {
    code: 'registry.not_asked',
    message: 'Our own key signed this certificate, and too many others that came with it were looked up before.',
  },
} as const satisfies Record<string, Objection>

export class LookedUp {
  readonly #found: readonly Lookup[]
  readonly #hierarchy: Hierarchy
  readonly #read: Pick<StoreReader, 'device'>

  constructor(found: readonly Lookup[], hierarchy: Hierarchy, read: Pick<StoreReader, 'device'>) {
    this.#found = found
    this.#hierarchy = hierarchy
    this.#read = read
  }

  /** The certificate as we issued it, octet for octet. */
  async registered(certificate: Certificate): Promise<Registered | undefined> {
    const record = this.#found.find(
      each => each.certificate === certificate && each.record && equalBytes(each.record.der, certificate.raw),
    )?.record
    if (record === undefined) return undefined
    return { record, device: record.deviceId === null ? undefined : await this.#read.device(record.deviceId) }
  }

  /** The status in the registry of what our own keys signed. */
  readonly status: StatusSource = ({ certificate, issuer, at }) => {
    const objection = this.objection(certificate, issuer)
    if (objection !== undefined) return { kind: 'unknown', ...objection }
    const lookup = this.#lookupOf(certificate, issuer)
    if (lookup === undefined) return undefined
    // Without a record it is that of an authority: anything else is objected to.
    return lookup.record ? statusAt(lookup.record, at) : { kind: 'good', source: 'other', until: undefined }
  }

  /** What our own key signed and we do not have is the worst of news, whatever a list or an artefact says of its serial number. */
  objection(certificate: Certificate, issuer: Certificate): Objection | undefined {
    const lookup = this.#lookupOf(certificate, issuer)
    if (lookup === undefined) return this.#isOurs(issuer) ? OBJECTIONS.notAsked : undefined
    const { record } = lookup
    if (record === undefined) return this.#isAuthority(certificate) ? undefined : OBJECTIONS.neverIssued
    return equalBytes(record.der, certificate.raw) ? undefined : OBJECTIONS.otherCertificate
  }

  #lookupOf(certificate: Certificate, issuer: Certificate): Lookup | undefined {
    return this.#found.find(each => each.certificate === certificate && sameIssuer(each.authority.certificate, issuer))
  }

  #isOurs(issuer: Certificate): boolean {
    return this.#hierarchy.authorities.some(({ certificate }) => sameIssuer(certificate, issuer))
  }

  /** An authority is recorded as such, also where its certificate came from before there were records of those. */
  #isAuthority(certificate: Certificate): boolean {
    return this.#hierarchy.authorities.some(own => equalBytes(own.certificate.raw, certificate.raw))
  }
}

/** The certificates of an authority differ, its name and key do not. */
function sameIssuer(a: Certificate, b: Certificate): boolean {
  return equalBytes(a.subjectPublicKeyInfo.raw, b.subjectPublicKeyInfo.raw) && namesEqual(a.subject, b.subject)
}

/** A later revocation leaves what was before it as it was, except where the key had been suspect (RFC 5280 §5.3.2). */
function statusAt({ status }: CertificateRecord, at: number): RevocationStatus {
  const good = { kind: 'good', source: 'other', until: undefined } as const
  if (status.kind === 'good') return good
  const invalidityDate = status.invalidityDate ?? undefined
  if (Math.min(status.at, invalidityDate ?? status.at) > at) return good
  const reason = status.kind === 'held' ? 'certificateHold' : status.reason
  return { kind: 'revoked', source: 'other', reason, revokedAt: status.at, invalidityDate }
}

function hierarchyOf(records: Awaited<ReturnType<StoreReader['authorities']>>): Hierarchy {
  const anchors: Certificate[] = []
  const intermediates: Certificate[] = []
  const authorities: OwnAuthority[] = []
  for (const { id, kind, certificate: der, chainAbove } of records) {
    if (der === null) continue
    const certificate = parseCertificate(copyBytes(der))
    authorities.push({ id, certificate })
    if (kind === 'root') anchors.push(certificate)
    else intermediates.push(certificate)
    // An instance whose root is elsewhere trusts the last certificate above its authorities.
    const above = chainAbove.map(each => parseCertificate(copyBytes(each)))
    intermediates.push(...above.slice(0, -1))
    anchors.push(...above.slice(-1))
  }
  return { anchors: unique(anchors), intermediates: unique(intermediates), authorities }
}

function unique(certificates: readonly Certificate[]): Certificate[] {
  return certificates.filter((each, i) => certificates.findIndex(other => equalBytes(other.raw, each.raw)) === i)
}
