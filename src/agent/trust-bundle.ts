// Judges a new set of roots before it takes the place of the pinned one: signed for that purpose below a root pinned so far, and newer than what
// the agent has. Whoever could hand out an older set could bring back a root that was taken out because its key was lost.
import { type Bytes, copyBytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import { verifyTrustBundle } from '../crypto/trust-bundle.ts'

export interface PinnableBundle {
  readonly version: number
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

/** The bundle, where it is to be pinned. Throws what `verifyTrustBundle` throws, and `agent.trust_bundle_rolled_back`. */
export function checkTrustBundle(message: Uint8Array, checks: TrustBundleChecks): PinnableBundle {
  const { bundle } = verifyTrustBundle(message, { anchors: checks.pinned.map(parseCertificate), at: checks.at })
  const { version, certificates } = bundle
  if (version <= checks.version) {
    throw new TouchmarkError(
      'agent.trust_bundle_rolled_back',
      'forbidden',
      'The trust bundle is not newer than the one that is pinned.',
      { evidence: { version, pinned: checks.version } },
    )
  }
  return { version, roots: certificates.map(copyBytes) }
}
