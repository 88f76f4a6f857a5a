// Signed trust bundles: making one with a signer's certificate, and believing one. The same check on both sides: the platform asks it of what
// it is about to publish, a device of what it got.
import type { Bytes } from '../core/bytes/bytes.ts'
import { CONTENT_TYPE } from '../core/cms/content-info.ts'
import { parseSignedData } from '../core/cms/signed-data.ts'
import { asTouchmarkError, TouchmarkError } from '../core/errors.ts'
import {
  encodeTrustBundle,
  MAX_SIGNED_TRUST_BUNDLE,
  parseTrustBundle,
  TRUST_BUNDLE_SIGNING,
  type TrustBundle,
} from '../core/messages/trust-bundle.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import { findExtension } from '../core/pki/extension.ts'
import { parseExtendedKeyUsage } from '../core/pki/extensions.ts'
import { OID } from '../core/pki/oids.ts'
import { validateChain } from '../core/pki/path.ts'
import { signData, verifySignedData } from './cms.ts'
import type { Signer } from './signer.ts'
import { verifySignature } from './verify.ts'

export interface TrustBundleSigner {
  readonly signer: Signer
  readonly certificate: Certificate
  /** What stands between it and the root. */
  readonly intermediates: readonly Uint8Array[]
}

/** SignedData in DER, with the signer's certificate and its issuers along. Throws what `signData` throws. */
export function signTrustBundle(
  bundle: TrustBundle,
  { signer, certificate, intermediates }: TrustBundleSigner,
  signingTime: number,
): Promise<Bytes> {
  return signData({ content: encodeTrustBundle(bundle), signer, certificate, certificates: intermediates, signingTime })
}

export interface VerifiedTrustBundle {
  readonly bundle: TrustBundle
  /** The roots, parsed. */
  readonly roots: readonly Certificate[]
  readonly signer: Certificate
}

/**
 * Reads a signed trust bundle whose signature verifies, whoever made it: for the platform's own, from its store. Throws as `verifyTrustBundle`
 * but for the trust.
 */
export function readTrustBundle(der: Uint8Array): Pick<VerifiedTrustBundle, 'bundle' | 'signer'> {
  const { content, signers } = readSigned(der)
  return { bundle: inGrammar(() => parseTrustBundle(content)), signer: signers[0] }
}

/**
 * Reads a signed trust bundle and believes it only where its signer chains to one of `anchors` (the roots that the reader trusts so far), is
 * valid at `at` and is meant for nothing but signing trust bundles. Versions are the caller's to compare. Throws `trust_bundle.too_large`,
 * `trust_bundle.malformed`, `trust_bundle.signature_invalid`, `trust_bundle.signer_untrusted` with the reason of the path in its evidence, and
 * `trust_bundle.root_malformed`.
 */
export function verifyTrustBundle(
  der: Uint8Array,
  { anchors, at }: { readonly anchors: readonly Certificate[]; readonly at: number },
): VerifiedTrustBundle {
  const { content, signers, intermediates } = readSigned(der)
  for (const signer of signers) checkSigner(signer, intermediates, anchors, at)
  const bundle = inGrammar(() => parseTrustBundle(content))
  return { bundle, roots: bundle.certificates.map(parseRoot), signer: signers[0] }
}

function readSigned(der: Uint8Array) {
  if (der.length > MAX_SIGNED_TRUST_BUNDLE) {
    throw new TouchmarkError('trust_bundle.too_large', 'malformed', 'The trust bundle has too many octets.', {
      evidence: { octets: der.length, limit: MAX_SIGNED_TRUST_BUNDLE },
    })
  }
  const { signedData, intermediates } = inGrammar(() => {
    const read = parseSignedData(der)
    return { signedData: read, intermediates: read.certificates.map(parseCertificate) }
  })
  const { content, contentType } = signedData
  if (content === undefined || contentType !== CONTENT_TYPE.data) {
    throw new TouchmarkError('trust_bundle.malformed', 'malformed', 'The trust bundle is not in the signed message.')
  }
  try {
    const [first, ...others] = verifySignedData(signedData)
    const signers: readonly [Certificate, ...Certificate[]] = [
      first.certificate,
      ...others.map(({ certificate }) => certificate),
    ]
    return { content, intermediates, signers }
  } catch (cause) {
    throw new TouchmarkError(
      'trust_bundle.signature_invalid',
      'unauthenticated',
      'The signature of the trust bundle does not verify.',
      { cause, evidence: { reason: asTouchmarkError(cause).code } },
    )
  }
}

function checkSigner(
  signer: Certificate,
  intermediates: readonly Certificate[],
  anchors: readonly Certificate[],
  at: number,
): void {
  const path = validateChain({ leaf: signer, intermediates, anchors, at, verify: verifySignature })
  const reason = path.ok ? (mayOnlySignBundles(signer) ? undefined : 'path.extended_key_usage') : path.code
  if (reason === undefined) return
  throw new TouchmarkError(
    'trust_bundle.signer_untrusted',
    'unauthenticated',
    'Who signed the trust bundle may not do so under the roots that are trusted so far.',
    { evidence: { reason, serialNumber: signer.serialNumber } },
  )
}

function mayOnlySignBundles(signer: Certificate): boolean {
  const usage = findExtension(signer.extensions, OID.extKeyUsage)
  if (usage === undefined) return false
  const purposes = inGrammar(() => parseExtendedKeyUsage(usage.value))
  return purposes.length === 1 && purposes[0] === TRUST_BUNDLE_SIGNING
}

function parseRoot(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    throw new TouchmarkError('trust_bundle.root_malformed', 'malformed', 'A root of the trust bundle cannot be read.', {
      cause,
    })
  }
}

function inGrammar<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new TouchmarkError('trust_bundle.malformed', 'malformed', 'The trust bundle cannot be read.', {
      cause,
      evidence: { reason: asTouchmarkError(cause).code },
    })
  }
}
