// Judges a new set of roots (a CMS SignedData, RFC 5652) before it takes the place of the pinned one: signed by a certificate for that purpose
// that leads to a root pinned so far, and newer than what the agent has. Whoever could hand out an older set could bring back a root that
// was taken out because its key was lost.
import { fromBase64 } from '../core/bytes/base64.ts'
import { type Bytes, equalBytes } from '../core/bytes/bytes.ts'
import { fromUtf8 } from '../core/bytes/utf8.ts'
import { CONTENT_TYPE } from '../core/cms/content-info.ts'
import { parseSignedData, type SignedData } from '../core/cms/signed-data.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import { findExtension } from '../core/pki/extension.ts'
import { parseBasicConstraints, parseExtendedKeyUsage } from '../core/pki/extensions.ts'
import { OID } from '../core/pki/oids.ts'
import { validateChain } from '../core/pki/path.ts'
import { verifySignedData } from '../crypto/cms.ts'
import { verifySignature } from '../crypto/verify.ts'
import { type JsonObject, readJson } from './json-fields.ts'

export interface TrustBundle {
  readonly version: number
  readonly createdAt: number
  /** Roots, DER. */
  readonly roots: readonly Bytes[]
}

export interface TrustBundleChecks {
  /** Roots pinned so far, DER. */
  readonly pinned: readonly Uint8Array[]
  /** Version pinned so far; 0 for what came with the device. */
  readonly version: number
  /** Whole seconds. */
  readonly at: number
}

const MAX_ROOTS = 64
/** What a certificate that signs bundles must be for. One that is for servers or devices cannot. */
const SIGNING_PURPOSES: readonly string[] = [OID.documentSigning]

/**
 * The bundle, where it is to be pinned. Throws `agent.trust_bundle_malformed`, `agent.trust_bundle_untrusted` (evidence `reason`),
 * `agent.trust_bundle_rolled_back`.
 */
export function checkTrustBundle(message: Uint8Array, checks: TrustBundleChecks): TrustBundle {
  const signedData = parse(message)
  checkSigner(signedData, checks)
  const bundle = readContent(signedData)
  if (bundle.version <= checks.version) {
    throw new TouchmarkError(
      'agent.trust_bundle_rolled_back',
      'forbidden',
      'The trust bundle is not newer than the one that is pinned.',
      {
        evidence: { version: bundle.version, pinned: checks.version },
      },
    )
  }
  return bundle
}

function parse(message: Uint8Array): SignedData {
  try {
    const signedData = parseSignedData(message)
    if (signedData.contentType !== CONTENT_TYPE.data || signedData.content === undefined) throw malformed('no content')
    return signedData
  } catch (thrown) {
    throw thrown instanceof TouchmarkError && thrown.code.startsWith('agent.')
      ? thrown
      : malformed('no SignedData', thrown)
  }
}

/** Every signature must verify; one of its certificates must be for this purpose and lead to a pinned root. */
function checkSigner(signedData: SignedData, { pinned, at }: TrustBundleChecks): void {
  let signers: Certificate[]
  let intermediates: Certificate[]
  try {
    signers = verifySignedData(signedData).map(({ certificate }) => certificate)
    intermediates = signedData.certificates.map(parseCertificate)
  } catch (thrown) {
    throw untrusted(thrown instanceof TouchmarkError ? thrown.code : 'unknown', thrown)
  }
  const anchors = pinned.map(parseCertificate)
  let reason = 'not_for_signing'
  for (const leaf of signers.filter(isForSigning)) {
    const others = intermediates.filter(certificate => !equalBytes(certificate.raw, leaf.raw))
    const result = validateChain({
      leaf,
      intermediates: others,
      anchors,
      at: Math.max(at, leaf.notBefore),
      verify: verifySignature,
    })
    if (result.ok) return
    reason = result.code
  }
  throw untrusted(reason)
}

function isForSigning(certificate: Certificate): boolean {
  const found = findExtension(certificate.extensions, OID.extKeyUsage)
  try {
    return found !== undefined && parseExtendedKeyUsage(found.value).some(purpose => SIGNING_PURPOSES.includes(purpose))
  } catch {
    return false
  }
}

function readContent(signedData: SignedData): TrustBundle {
  let text: string
  try {
    text = fromUtf8(signedData.content!)
  } catch (cause) {
    throw malformed('no UTF-8', cause)
  }
  return readJson(text, readBundle, malformed)
}

function readBundle(object: JsonObject): TrustBundle {
  const version = object.count('version')
  const createdAt = object.time('createdAt')
  const roots = object.texts('certificates', MAX_ROOTS, 65536).map(readRoot)
  if (roots.length === 0) throw malformed('no roots')
  return { version, createdAt, roots }
}

function readRoot(base64: string): Bytes {
  try {
    const der = fromBase64(base64)
    const root = parseCertificate(der)
    const constraints = findExtension(root.extensions, OID.basicConstraints)
    if (root.version === 3 && !(constraints && parseBasicConstraints(constraints.value).cA))
      throw malformed('a root is no CA')
    return der
  } catch (thrown) {
    throw thrown instanceof TouchmarkError && thrown.code.startsWith('agent.')
      ? thrown
      : malformed('a root is no certificate', thrown)
  }
}

function malformed(reason: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError('agent.trust_bundle_malformed', 'malformed', 'The trust bundle cannot be read.', {
    ...(cause === undefined ? {} : { cause }),
    evidence: { reason },
  })
}

function untrusted(reason: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError(
    'agent.trust_bundle_untrusted',
    'forbidden',
    'The trust bundle is not signed by whom this device trusts.',
    {
      ...(cause === undefined ? {} : { cause }),
      evidence: { reason },
    },
  )
}
