// The CA's counter: a decision comes in, a certificate and the change that records it go out. It decides nothing about who may have what;
// that is the registration side's, with code and log of its own.
import { TouchmarkError } from '../../core/errors.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { Signer } from '../../crypto/signer.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { AuthorityId } from '../ids.ts'
import type { Random, Write } from '../ports.ts'
import type { AuthorityDirectory } from './authorities.ts'
import { replacedName } from './certificate-record.ts'
import type { CertificateFacts, IssuanceRequest } from './issuance-request.ts'
import { type PreparedCertificate, prepareCertificate, prepareMany } from './prepare.ts'
import type { Profile } from './profile.ts'
import { assertSigned, type SignedCertificate, signMany, signPrepared } from './sign.ts'
import { assertActive } from './signing-authority.ts'

export interface IssuerPorts {
  readonly authorities: AuthorityDirectory
  readonly random: Random
}

export class CertificateIssuer {
  readonly #ports: IssuerPorts

  constructor(ports: IssuerPorts) {
    this.#ports = ports
  }

  /** Throws as `AuthorityDirectory.issuing` and `prepareCertificate`. */
  async prepare(request: IssuanceRequest): Promise<PreparedCertificate> {
    const { authorities, random } = this.#ports
    const settings = await authorities.settings()
    const authority = await authorities.issuing(request.profile, request.authority)
    const coveredUntil = await authorities.coveredUntil(authority.record.id)
    return prepareCertificate(request, authority, { settings, random, coveredUntil })
  }

  /**
   * As `prepare` for many of one profile and authority, with one outcome each. Throws where the authority cannot issue at all, and
   * `issuance.mixed_batch`.
   */
  async prepareMany(requests: readonly IssuanceRequest[]): Promise<(PreparedCertificate | Error)[]> {
    const [first] = requests
    if (first === undefined) return []
    const { authorities, random } = this.#ports
    if (requests.some(each => each.profile !== first.profile || each.authority !== first.authority)) {
      throw new TouchmarkError(
        'issuance.mixed_batch',
        'internal',
        'Certificates are prepared together for one profile and authority.',
      )
    }
    const settings = await authorities.settings()
    const authority = await authorities.issuing(first.profile, first.authority)
    const coveredUntil = await authorities.coveredUntil(authority.record.id)
    return prepareMany(requests, authority, { settings, random, coveredUntil })
  }

  /** Much of this profile will be signed soon: see `Signer.expectMany`. What is wrong with the authority is said where it is asked to sign. */
  async expectMany(profile: Profile): Promise<void> {
    const authority = await this.#ports.authorities.issuing(profile).catch(() => undefined)
    authority?.signer.expectMany?.()
  }

  /** Signs what was prepared, once. Throws as `signPrepared`, and `authority.*` where the authority issues no more. */
  async sign(prepared: PreparedCertificate, signal?: AbortSignal): Promise<SignedCertificate> {
    return signPrepared(prepared, await this.#signer(prepared.facts.authorityId), signal)
  }

  /** As `sign` for many of one authority, in order; all or none. */
  async signMany(prepared: readonly PreparedCertificate[], signal?: AbortSignal): Promise<SignedCertificate[]> {
    const [first] = prepared
    if (first === undefined) return []
    return signMany(prepared, await this.#signer(first.facts.authorityId), signal)
  }

  /** Asked again at the signature: an authority may have been retired since the certificate was prepared. */
  async #signer(id: AuthorityId): Promise<Signer> {
    const { record, signer } = await this.#ports.authorities.signing(id)
    assertActive(record)
    return signer
  }
}

/** What the caller knows about the act that the certificate is part of: told in the same audit entry. */
export interface IssuedContext {
  /** Absent: the certification side as such. */
  readonly actor?: AuditEntry['actor']
  readonly subject?: AuditEntry['subject']
  readonly detail?: NonNullable<AuditEntry['detail']>
}

export interface CertificateWrites {
  readonly write: Extract<Write, { kind: 'certificate.insert' }>
  readonly audit: AuditEntry
}

const CERTIFICATION: AuditEntry['actor'] = { kind: 'system', id: 'ca' }

/**
 * The write that puts the certificate into the registry, and the audit entry that commits to its octets. `auditEntryPosition` is where
 * the entry stands in the change set. Throws `issuance.not_signed` for anything that was not signed here.
 */
export function certificateWrites(
  signed: SignedCertificate,
  auditEntryPosition: number,
  context: IssuedContext = {},
): CertificateWrites {
  assertSigned(signed)
  const { facts, der } = signed
  const subject: Record<string, string> = {
    ...context.subject,
    authorityId: facts.authorityId,
    certificateSha256: sha256Hex(der),
    keyId: facts.keyId,
    serialNumber: facts.serialNumber,
  }
  if (facts.deviceId !== null) subject['deviceId'] = facts.deviceId
  return {
    write: {
      kind: 'certificate.insert',
      auditEntry: auditEntryPosition,
      certificate: {
        authorityId: facts.authorityId,
        serialNumber: facts.serialNumber,
        deviceId: facts.deviceId,
        keyId: facts.keyId,
        profile: facts.profile,
        profileVersion: facts.profileVersion,
        notBefore: facts.notBefore,
        notAfter: facts.notAfter,
        der,
        status: { kind: 'good' },
        crlShard: facts.crlShard,
        replaces: facts.replaces,
      },
    },
    audit: {
      at: facts.issuedAt,
      actor: context.actor ?? CERTIFICATION,
      action: 'certificate.issued',
      outcome: 'done',
      subject,
      detail: issuedDetail(context.detail, facts),
    },
  }
}

type Detail = NonNullable<AuditEntry['detail']>

/** The detail that was made last, and from what: a batch tells the same of thousands of certificates, which the log then spells once. */
let lastDetail:
  | { readonly context: IssuedContext['detail']; readonly facts: CertificateFacts; readonly detail: Detail }
  | undefined

function issuedDetail(context: IssuedContext['detail'], facts: CertificateFacts): Detail {
  if (
    lastDetail !== undefined &&
    lastDetail.context === context &&
    lastDetail.facts.notAfter === facts.notAfter &&
    lastDetail.facts.profile === facts.profile &&
    lastDetail.facts.profileVersion === facts.profileVersion &&
    lastDetail.facts.replaces === null &&
    facts.replaces === null
  ) {
    return lastDetail.detail
  }
  const { notAfter, profile, profileVersion, replaces } = facts
  const told = { ...context, notAfter, profile, profileVersion }
  const detail = Object.freeze(replaces === null ? told : { ...told, replaces: replacedName(replaces) })
  // Only what nobody can change any more is used again.
  if (context === undefined || Object.isFrozen(context)) lastDetail = { context, facts, detail }
  return detail
}
