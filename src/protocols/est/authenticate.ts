// Who asks (RFC 7030 §3.2.3, §3.3.2): a client certificate from the TLS handshake, HTTP Basic with the device's serial number and its
// one-time token, or both. What is presented is judged anew at each request.
import { fromBase64 } from '../../core/bytes/base64.ts'
import { fromUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { UnixSeconds } from '../../domain/ids.ts'
import type { Evidence } from '../../domain/ra/evidence.ts'
import type { EvidenceFinding, EvidenceReader } from '../../domain/ra/evidence-reader.ts'
import { type Refusal, type RefusalCode, refusal } from '../../domain/ra/refusal.ts'
import type { HttpRequest } from '../http.ts'

export type Authentication =
  | { readonly kind: 'evidence'; readonly evidence: readonly Evidence[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly detail: Readonly<Record<string, string>> }

/** Characters of an Authorization header that are read: serial number and token have less than 200 in base64. */
const MAX_AUTHORIZATION = 1024

/**
 * A certificate that says nothing (of strangers, expired) may be made good by a token; one that says something bad (revoked, on hold,
 * a compromised key) may not: the operator wants to hear of it.
 */
const MADE_GOOD_BY_TOKEN: ReadonlySet<string> = new Set<RefusalCode>([
  'evidence.certificate_malformed',
  'evidence.issuer_unknown',
  'evidence.path_invalid',
  'evidence.certificate_expired',
  'evidence.certificate_not_yet_valid',
  'evidence.identity_missing',
])

export async function authenticateDevice(
  request: HttpRequest,
  reader: Pick<EvidenceReader, 'fromCertificates' | 'fromToken'>,
  now: UnixSeconds,
): Promise<Authentication> {
  const basic = await readBasic(request.headers['authorization'], reader)
  if (basic.kind === 'refused') return basic
  const certificate = await reader.fromCertificates(request.peer.certificates, now)
  const evidence: Evidence[] = []
  if (certificate.kind === 'evidence') evidence.push(certificate.evidence)
  if (basic.kind === 'evidence') evidence.push(basic.evidence)
  if (certificate.kind === 'refused') {
    const mayPass = basic.kind === 'evidence' && MADE_GOOD_BY_TOKEN.has(certificate.refusal.code)
    if (!mayPass) return certificate
  }
  if (evidence.length === 0) return { kind: 'refused', refusal: refusal('evidence.missing'), detail: {} }
  return { kind: 'evidence', evidence }
}

async function readBasic(
  header: string | undefined,
  reader: Pick<EvidenceReader, 'fromToken'>,
): Promise<EvidenceFinding> {
  if (header === undefined) return { kind: 'none' }
  const credentials = parseBasic(header)
  if (credentials === undefined) return { kind: 'refused', refusal: refusal('token.invalid'), detail: {} }
  return reader.fromToken(credentials.userName, credentials.password)
}

/** RFC 7617 §2: `Basic` and the base64 of `user:password`, in UTF-8; the user name has no colon. */
function parseBasic(header: string): { readonly userName: string; readonly password: string } | undefined {
  const match = header.length > MAX_AUTHORIZATION ? null : /^basic +([A-Za-z0-9+/]+=*) *$/i.exec(header)
  if (match === null) return undefined
  try {
    const text = fromUtf8(fromBase64(match[1]!))
    const colon = text.indexOf(':')
    return colon < 0 ? undefined : { userName: text.slice(0, colon), password: text.slice(colon + 1) }
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return undefined
    throw thrown
  }
}
