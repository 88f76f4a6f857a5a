// The certificate of an authority comes back from whoever signed it (the offline root, another company's CA). Before it is put into
// force it has to be the right one: our key, the name that was asked for, the rights of a CA, and a chain that verifies (RFC 5280 §6.1).

import { readDer } from '../../core/asn1/reader.ts'
import { concat, copyBytes, equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { type Evidence, TouchmarkError } from '../../core/errors.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import { lintCertificateFields } from '../../core/pki/lint.ts'
import { formatName, namesEqual, parseName } from '../../core/pki/name.ts'
import { OID } from '../../core/pki/oids.ts'
import { validateChain } from '../../core/pki/path.ts'
import { checkPath, readPathCertificate } from '../../core/pki/path-check.ts'
import { sha256, sha256Hex } from '../../crypto/digest.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import { verifySignature } from '../../crypto/verify.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { AuthorityId, UnixSeconds } from '../ids.ts'
import type { Store } from '../ports.ts'
import type { AuthorityDirectory } from './authorities.ts'
import type { Authority } from './authority.ts'
import { authorityProfileName, settingsValues } from './create-authority.ts'

export interface ImportPorts {
  readonly store: Store
  readonly authorities: AuthorityDirectory
  readonly keyStore: KeyStore
  readonly now: UnixSeconds
  readonly actor: AuditEntry['actor']
}

export interface ImportOptions {
  /** Certificates above, in any order, up to and including the root. Not needed where an authority of this instance signed. */
  readonly above?: readonly Uint8Array[]
  /** Take the certificate although the issuer changed the name that was asked for. */
  readonly acceptOtherName?: boolean
}

/**
 * Takes the certificate in and puts the authority into service. Errors: `authority.not_awaiting`, `authority.key_mismatch`,
 * `authority.name_mismatch`, `authority.not_a_ca`, `authority.path_length`, `authority.certificate_unfit` (lint), `authority.chain_invalid`,
 * `DerError`; `authority.state_changed` where somebody else was faster.
 */
export async function importAuthorityCertificate(
  id: AuthorityId,
  der: Uint8Array,
  options: ImportOptions,
  ports: ImportPorts,
): Promise<Authority> {
  const { authorities, keyStore, store, now, actor } = ports
  const record = await authorities.byId(id)
  if (record?.state !== 'awaiting_certificate') {
    throw refused('authority.not_awaiting', `No authority ${id} waits for a certificate.`, { authorityId: id })
  }
  const certificate = parseCertificate(copyBytes(der))
  const signer = await keyStore.signer(record.keyUri)
  if (!equalBytes(signer.publicKey, certificate.subjectPublicKeyInfo.raw)) {
    throw refused('authority.key_mismatch', `The certificate is for another key than that of ${id}.`, {
      authorityId: id,
    })
  }
  if (!options.acceptOtherName) await checkName(record, certificate, authorities)
  checkRights(record, certificate)
  const { issuer, path } = await findPath(certificate, options.above ?? [], authorities, now)
  const above = path.slice(1)
  checkRoom(record, path)
  const findings = lintCertificateFields(certificate, { issuer: above[0], kind: 'ca' })
  if (findings.length > 0) {
    throw refused(
      'authority.certificate_unfit',
      `The certificate breaks the rules for CAs. ${findings.map(each => each.message).join(' ')}`,
      {
        ...Object.fromEntries(findings.map(each => [each.code, each.source])),
      },
    )
  }
  const active: Authority = {
    ...record,
    state: 'active',
    certificate: certificate.raw,
    issuer,
    chainAbove: issuer === null ? above.map(({ raw }) => copyBytes(raw)) : [],
  }
  await store.commit({
    writes: [
      {
        kind: 'authority.update',
        id,
        from: 'awaiting_certificate',
        to: 'active',
        certificate: active.certificate,
        issuer,
        chainAbove: active.chainAbove,
      },
    ],
    audit: [
      {
        at: now,
        actor,
        action: 'authority.certificate_imported',
        outcome: 'done',
        subject: {
          authorityId: id,
          certificateSha256: toHex(sha256(certificate.raw)),
          serialNumber: certificate.serialNumber,
        },
        detail: {
          notAfter: certificate.notAfter,
          ...(active.chainAbove.length === 0 ? {} : { aboveSha256: sha256Hex(concat(...active.chainAbove)) }),
        },
      },
    ],
  })
  await putIntoService(record.keyUri, keyStore, actor, `The authority ${id} got its certificate.`)
  return active
}

/** From now on the authority answers for what it issued and issues no more. Throws `authority.not_found`, `authority.state_changed`. */
export async function retireAuthority(id: AuthorityId, ports: Omit<ImportPorts, 'keyStore'>): Promise<void> {
  const { authorities, store, now, actor } = ports
  const record = await authorities.byId(id)
  if (!record)
    throw new TouchmarkError('authority.not_found', 'not_found', `There is no authority ${id}.`, {
      next: 'List the authorities with: touchmark authority list',
      evidence: { authorityId: id },
    })
  if (record.state !== 'active') {
    throw new TouchmarkError('authority.state_changed', 'conflict', `The authority ${id} is not active.`, {
      next: 'Only an active authority is retired. See: touchmark authority show ID',
      evidence: { authorityId: id, state: record.state },
    })
  }
  const { certificate, issuer, chainAbove } = record
  await store.commit({
    writes: [{ kind: 'authority.update', id, from: 'active', to: 'retired', certificate, issuer, chainAbove }],
    audit: [{ at: now, actor, action: 'authority.retired', outcome: 'done', subject: { authorityId: id } }],
  })
}

/** Says in the key store that the key signs now. A key that is in service already stays so. */
export async function putIntoService(
  keyUri: string,
  keyStore: KeyStore,
  actor: AuditEntry['actor'],
  why: string,
): Promise<void> {
  const known = (await keyStore.list()).find(key => key.keyUri === keyUri)
  if (known?.state === 'generated')
    await keyStore.changeState(keyUri, 'in-use', { who: `${actor.kind}:${actor.id}`, why })
}

async function checkName(record: Authority, certificate: Certificate, authorities: AuthorityDirectory): Promise<void> {
  const profile = await authorities.profile(authorityProfileName(record))
  const asked = readDer(profile.subject(settingsValues(await authorities.settings())), parseName)
  if (namesEqual(asked, certificate.subject)) return
  throw refused(
    'authority.name_mismatch',
    `The certificate names ${formatName(certificate.subject)}, not ${formatName(asked)}.`,
    {
      authorityId: record.id,
    },
  )
}

/** RFC 5280 §4.2.1.2, §4.2.1.3, §4.2.1.9; and CRLs, because an authority answers for what it issues. */
function checkRights(record: Authority, certificate: Certificate): void {
  const { basicConstraints, keyUsage, malformed, subjectKeyIdentifier } = readPathCertificate(certificate)
  const evidence = { authorityId: record.id }
  if (malformed) throw refused('authority.certificate_unfit', malformed.message, evidence)
  if (
    !basicConstraints?.cA ||
    !keyUsage?.includes('keyCertSign') ||
    !keyUsage.includes('cRLSign') ||
    !subjectKeyIdentifier
  ) {
    throw refused(
      'authority.not_a_ca',
      'The certificate does not give the rights of a CA: cA, keyCertSign, cRLSign and a subjectKeyIdentifier.',
      evidence,
    )
  }
  if (record.kind === 'intermediate' && basicConstraints.pathLenConstraint === 0) {
    throw refused(
      'authority.path_length',
      'The path length 0 leaves no room for the authorities below an intermediate.',
      evidence,
    )
  }
}

/** Whether the CAs above let certificates below this one be valid: it stands for one of them here (RFC 5280 §4.2.1.9). */
function checkRoom(record: Authority, path: readonly Certificate[]): void {
  const [leaf, ...above] = path.map(readPathCertificate)
  const problem = checkPath([leaf!, leaf!, ...above], {
    at: leaf!.certificate.notBefore,
    purpose: undefined,
    processed: new Set([OID.policyConstraints, OID.policyMappings, OID.inhibitAnyPolicy]),
  })
  if (problem) throw refused('authority.path_length', problem.message, { authorityId: record.id, reason: problem.code })
}

/** The chain to a root: through our own authorities where one of them signed, else through what came along. */
async function findPath(
  certificate: Certificate,
  above: readonly Uint8Array[],
  authorities: AuthorityDirectory,
  now: UnixSeconds,
): Promise<{ readonly issuer: AuthorityId | null; readonly path: readonly Certificate[] }> {
  const tried: Evidence[] = []
  for (const { id, state, certificate: der } of await authorities.all()) {
    if (state === 'awaiting_certificate' || der === null) continue
    const chain = (await authorities.chain(id)).map(parseCertificate)
    if (!namesEqual(chain[0]!.subject, certificate.issuer)) continue
    const result = validate(certificate, chain.slice(0, -1), chain.slice(-1), now)
    // The very authority has to be in the path, not another of the same name.
    if (result.ok && equalBytes(result.path[1]!.raw, chain[0]!.raw)) return { issuer: id, path: result.path }
    if (!result.ok) tried.push({ ...result.evidence, reason: result.code })
  }
  const others = above.map(der => parseCertificate(copyBytes(der)))
  const isRoot = (each: Certificate) => namesEqual(each.subject, each.issuer) && verifies(each, each)
  const result = validate(
    certificate,
    others.filter(each => !isRoot(each)),
    others.filter(isRoot),
    now,
  )
  if (result.ok) return { issuer: null, path: result.path }
  throw new TouchmarkError(
    'authority.chain_invalid',
    'malformed',
    `The certificate does not chain to a root. ${result.message}`,
    {
      next: 'Bring the certificates above along, up to and including the self-signed root.',
      evidence: { ...result.evidence, ...tried[0], reason: result.code },
    },
  )
}

function validate(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  anchors: readonly Certificate[],
  at: UnixSeconds,
) {
  return validateChain({ leaf, intermediates, anchors, at, verify: verifySignature })
}

function verifies(certificate: Certificate, issuer: Certificate): boolean {
  const { signatureAlgorithm, tbs, signature } = certificate
  return verifySignature(issuer.subjectPublicKeyInfo.raw, signatureAlgorithm, tbs, signature)
}

const REISSUE = 'Have it issued again'

/** What whoever brought the certificate can do about it. */
const NEXT = {
  'authority.not_awaiting': 'List the authorities with: touchmark authority list',
  'authority.key_mismatch': 'Bring the certificate that was made from this request: touchmark authority csr ID',
  'authority.name_mismatch': `${REISSUE} with the name of the request, or take the other one with --accept-other-name.`,
  'authority.certificate_unfit': `${REISSUE} without what breaks RFC 5280.`,
  'authority.not_a_ca': `${REISSUE} by a profile for CAs (RFC 5280 §4.2.1.2, §4.2.1.3, §4.2.1.9).`,
  'authority.path_length': `${REISSUE} with room for the authorities below, also in the certificates above.`,
} as const

function refused(code: keyof typeof NEXT, message: string, evidence: Evidence): TouchmarkError {
  const kind = code === 'authority.not_awaiting' ? 'conflict' : 'malformed'
  return new TouchmarkError(code, kind, message, { next: NEXT[code], evidence })
}
