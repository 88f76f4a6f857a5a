// What a batch came to, signed by the factory station's key: `openssl cms -verify` shows it to somebody who has the trust anchors and
// nothing else of ours.

import type { Bytes } from '../../core/bytes/bytes.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { signData } from '../../crypto/cms.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import { ensureIdentity, type IdentityPlan, type IdentityPorts } from '../ca/platform-identity.ts'
import type { Profile } from '../ca/profile.ts'
import type { BatchOutcome } from './run-batch.ts'

export interface ManifestFacts {
  readonly outcome: BatchOutcome
  readonly profile: Pick<Profile, 'name' | 'version'>
  /** SHA-256 over the input and over the table of results, 64 hex digits each. */
  readonly inputSha256: string
  readonly resultsSha256: string
  /** The newest signed checkpoint of the log (C2SP signed note): it covers the batch. */
  readonly checkpoint: string | undefined
}

export interface SignedManifest {
  /** JSON. */
  readonly text: string
  /** Detached CMS SignedData over the octets of `text`, DER. */
  readonly signature: Bytes
}

const STATION: IdentityPlan = {
  profile: 'factory-station',
  keyLabel: 'factory-station-',
  keyAlgorithm: 'P-256',
  subjectFields: { commonName: 'Factory station' },
  renewAtRemaining: 1 / 3,
  actor: 'factory',
}

export async function signManifest(
  facts: ManifestFacts,
  ports: IdentityPorts & { readonly keyStore: KeyStore },
): Promise<SignedManifest> {
  const { outcome, profile, inputSha256, resultsSha256, checkpoint } = facts
  const now = ports.clock.now()
  const manifest = {
    format: 'touchmark-batch-manifest/1',
    batch: outcome.batch,
    madeAt: new Date(now * 1000).toISOString(),
    profile: profile.name,
    profileVersion: profile.version,
    issued: outcome.issued,
    existing: outcome.existing,
    rejected: outcome.rejected,
    inputSha256,
    resultsSha256,
    checkpoint: checkpoint ?? null,
  }
  const text = `${JSON.stringify(manifest, null, 2)}\n`
  const station = await ensureIdentity(STATION, ports)
  const chain = (await ports.authorities.chain(station.record.authorityId)).slice(0, -1)
  const signature = await signData({
    content: toUtf8(text),
    signer: await ports.keyStore.signer(station.keyUri),
    certificate: station.certificate,
    certificates: chain,
    signingTime: now,
    detached: true,
  })
  return { text, signature }
}
