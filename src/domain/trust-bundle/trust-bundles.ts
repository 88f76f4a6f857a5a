// The trust bundle in force: the roots of this instance, with a version, signed so that devices that trust the roots before follow. Kept as a
// publication, and each version beside it under its number, so that what was said once can be looked up. A job keeps it up to date.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import { sameRoots, type TrustBundle } from '../../core/messages/trust-bundle.ts'
import { type Certificate, parseCertificate } from '../../core/pki/certificate.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import { readTrustBundle, signTrustBundle, verifyTrustBundle } from '../../crypto/trust-bundle.ts'
import type { AuditEntry } from '../audit/entry.ts'
import { authorityName } from '../ca/authorities.ts'
import type { Authority } from '../ca/authority.ts'
import { ensureProfile } from '../ca/ensure-profile.ts'
import { destroyOldKeys, ensureIdentity, type IdentityPlan, type IdentityPorts } from '../ca/platform-identity.ts'
import { type AuthorityId, serialNumber } from '../ids.ts'
import type { Publication } from '../ports.ts'
import { TRUST_BUNDLE_PUBLICATION, versionPublicationName } from './publication-name.ts'

export const TRUST_BUNDLE_PROFILE = 'trust-bundle-signer'

/** The signer in use, and the one before it: another process may be signing with it just now. */
const KEPT_SIGNERS = 2
/** Signed anew when this share of the signer's life is left. */
const RENEW_AT_REMAINING = 0.5
/** Authorities that are there for the platform itself come before those that are there for devices. */
const PREFERRED_AUTHORITY = 'services'

const ACTOR: AuditEntry['actor'] = { kind: 'system', id: 'trust-bundle' }

/** Another process on this store is at it in the same moment; the next run takes what it published. */
const MET_ANOTHER = new Set(['publication.outdated', 'key.label_taken', 'document.version_exists'])

export interface CurrentTrustBundle {
  readonly bundle: TrustBundle
  /** SignedData, DER. */
  readonly bytes: Uint8Array
  readonly thisUpdate: number
  /** When its signer ends; it is signed anew well before. */
  readonly nextUpdate: number
}

export interface TrustBundlePorts extends IdentityPorts {
  readonly keyStore: KeyStore
}

export class TrustBundles {
  readonly #ports: TrustBundlePorts
  #current: { readonly number: number; readonly bundle: CurrentTrustBundle } | undefined

  constructor(ports: TrustBundlePorts) {
    this.#ports = ports
  }

  /** As of the last `refresh`; `undefined` before the first, and where no authority can sign. */
  get current(): CurrentTrustBundle | undefined {
    return this.#current?.bundle
  }

  /**
   * Publishes a new version where the set of roots changed, and the same version signed anew where its signer nears its end or was revoked.
   * Answers whether it published. Throws `trust_bundle.no_signer` where no authority with its key here is below a root, and what issuing and
   * the store throw.
   */
  async refresh(): Promise<boolean> {
    try {
      return await this.#refresh()
    } catch (thrown) {
      if (MET_ANOTHER.has(asTouchmarkError(thrown).code)) return false
      throw thrown
    }
  }

  async #refresh(): Promise<boolean> {
    const { store, clock } = this.#ports
    const stored = await store.read.publication(TRUST_BUNDLE_PUBLICATION)
    const before = stored && readTrustBundle(stored.bytes)
    const roots = await rootsInForce(this.#ports)
    if (stored && before && sameRoots(roots, before.bundle.certificates)) {
      if (await this.#isStillGood(stored, before.signer)) {
        this.#take(stored, before.bundle)
        return false
      }
      return this.#publish(before.bundle, stored)
    }
    const version = (before?.bundle.version ?? 0) + 1
    return this.#publish({ version, createdAt: clock.now(), certificates: roots }, stored)
  }

  async #isStillGood(stored: Publication, signer: Certificate): Promise<boolean> {
    const { store, clock } = this.#ports
    const now = clock.now()
    if (now < stored.thisUpdate) return false
    if (stored.nextUpdate - now < (signer.notAfter - signer.notBefore) * RENEW_AT_REMAINING) return false
    const records = await store.read.certificatesBySerial(serialNumber(signer.serialNumber))
    return records.find(({ der }) => equalBytes(der, signer.raw))?.status.kind === 'good'
  }

  async #publish(bundle: TrustBundle, stored: Publication | undefined): Promise<boolean> {
    const { store, keyStore, clock } = this.#ports
    const { plan, chain } = await this.#plan(bundle, await this.#rootsBefore(bundle))
    const identity = await ensureIdentity(plan, this.#ports)
    const signer = await keyStore.signer(identity.keyUri)
    const now = clock.now()
    const signing = { signer, certificate: identity.certificate, intermediates: chain.slice(0, -1) }
    const bytes = await signTrustBundle(bundle, signing, now)
    // What no device would believe must not be put out: the same check as theirs.
    verifyTrustBundle(bytes, { anchors: [parseCertificate(new Uint8Array(chain.at(-1)!))], at: now })
    const publication: Publication = {
      name: TRUST_BUNDLE_PUBLICATION,
      contentType: 'application/pkcs7-mime; smime-type=signed-data',
      bytes,
      number: (stored?.number ?? 0) + 1,
      thisUpdate: now,
      nextUpdate: identity.certificate.notAfter,
    }
    const ofVersion: Publication = { ...publication, name: versionPublicationName(bundle.version) }
    const { authorityId, serialNumber: serial } = identity.record
    const audit: AuditEntry = {
      at: now,
      actor: ACTOR,
      action: 'trust.bundle_published',
      outcome: 'done',
      subject: { authorityId, serialNumber: serial },
      detail: {
        version: bundle.version,
        number: publication.number,
        roots: bundle.certificates.length,
        bundleSha256: sha256Hex(bytes),
      },
    }
    await store.commit({
      writes: [
        { kind: 'publication.put', publication },
        { kind: 'publication.put', publication: ofVersion },
      ],
      audit: [audit],
    })
    this.#take(publication, bundle)
    await destroyOldKeys(plan, this.#ports, KEPT_SIGNERS)
    return true
  }

  /** What devices trust that have not seen this version yet; `undefined` for the first. */
  async #rootsBefore({ version }: TrustBundle): Promise<readonly Uint8Array[] | undefined> {
    const before = await this.#ports.store.read.publication(versionPublicationName(version - 1))
    return before && readTrustBundle(before.bytes).bundle.certificates
  }

  /**
   * A signer below a root that devices trust already and will go on trusting; where there is none, below any root of the bundle: then only
   * devices that learn of that root otherwise can follow.
   */
  async #plan(
    bundle: TrustBundle,
    trusted: readonly Uint8Array[] | undefined,
  ): Promise<{ readonly plan: IdentityPlan; readonly chain: readonly Uint8Array[] }> {
    const { authorities, keyStore, clock } = this.#ports
    const keys = new Set((await keyStore.list()).map(({ keyUri }) => keyUri))
    const candidates: { readonly record: Authority; readonly chain: readonly Uint8Array[]; readonly rank: number }[] =
      []
    for (const record of await authorities.all()) {
      if (record.state !== 'active' || record.kind === 'root' || !keys.has(record.keyUri)) continue
      if ((await authorities.certificate(record.id)).notAfter <= clock.now()) continue
      const chain = await authorities.chain(record.id)
      const root = chain.at(-1)!
      if (!includes(bundle.certificates, root)) continue
      const known = trusted === undefined || includes(trusted, root)
      const preferred = authorityName(record.id) === PREFERRED_AUTHORITY
      candidates.push({ record, chain, rank: (known ? 0 : 2) + (preferred ? 0 : 1) })
    }
    candidates.sort((a, b) => a.rank - b.rank || b.record.generation - a.record.generation)
    const [chosen] = candidates
    if (chosen === undefined) {
      throw new TouchmarkError(
        'trust_bundle.no_signer',
        'unavailable',
        'No active authority with its key here is below a root of this instance, so nobody can sign the trust bundle.',
        { next: 'Create an issuing authority: touchmark authority create' },
      )
    }
    await ensureProfile(TRUST_BUNDLE_PROFILE, ACTOR, this.#ports)
    const { signer } = await authorities.signing(chosen.record.id)
    return { plan: signerPlan(chosen.record.id, signer.keyAlgorithm), chain: chosen.chain }
  }

  #take({ number, bytes, thisUpdate, nextUpdate }: Publication, bundle: TrustBundle): void {
    if (this.#current?.number === number) return
    this.#current = { number, bundle: { bundle, bytes, thisUpdate, nextUpdate } }
  }
}

/** The roots of this instance but those that ended, or whose own certificate is revoked: nobody shall trust them any more. */
async function rootsInForce({ store, authorities, clock }: TrustBundlePorts): Promise<Uint8Array[]> {
  const roots: Uint8Array[] = []
  for (const der of await authorities.trustBundle()) {
    const root = parseCertificate(der)
    if (root.notAfter < clock.now()) continue
    const records = await store.read.certificatesBySerial(serialNumber(root.serialNumber))
    if (records.find(record => equalBytes(record.der, der))?.status.kind !== 'revoked') roots.push(der)
  }
  if (roots.length > 0) return roots
  throw new TouchmarkError('trust_bundle.no_root', 'unavailable', 'This instance has no root that could be trusted.', {
    next: 'Create or import an authority: touchmark authority create',
  })
}

function signerPlan(authority: AuthorityId, keyAlgorithm: IdentityPlan['keyAlgorithm']): IdentityPlan {
  return {
    profile: TRUST_BUNDLE_PROFILE,
    authority,
    keyLabel: 'trust-bundle-',
    keyAlgorithm,
    subjectFields: { commonName: 'Trust bundle signer' },
    renewAtRemaining: RENEW_AT_REMAINING,
    actor: ACTOR.id,
  }
}

const includes = (list: readonly Uint8Array[], der: Uint8Array) => list.some(each => equalBytes(each, der))
