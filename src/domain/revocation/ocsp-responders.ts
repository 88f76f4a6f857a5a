// The delegated OCSP signers (RFC 6960 §4.2.2.2), one for each authority whose key is online: found again at start, made when missing, renewed
// well before their end. They are short-lived and carry id-pkix-ocsp-nocheck, so nobody asks for their own status.
import { equalBytes } from '../../core/bytes/bytes.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import type { SignatureAlgorithmName } from '../../crypto/algorithms.ts'
import { sha1 } from '../../crypto/digest.ts'
import type { KeyInfo, KeyStore } from '../../crypto/key-store.ts'
import type { Signer } from '../../crypto/signer.ts'
import type { Authority } from '../ca/authority.ts'
import {
  destroyOldKeys,
  findIdentity,
  type IdentityPlan,
  type IdentityPorts,
  isIdentityDue,
  makeIdentity,
} from '../ca/platform-identity.ts'
import type { AuthorityId } from '../ids.ts'

/** Who answers for one authority. */
export interface OcspResponder {
  readonly authorityId: AuthorityId
  /** The authority's own certificate: what a CertID hashes. */
  readonly authority: Certificate
  /** The delegated signer's certificate (RFC 6960 §4.2.2.2). */
  readonly certificate: Certificate
  /** SHA-1 of its subjectPublicKey: the responder's name in its answers (RFC 6960 §4.2.1). */
  readonly keyHash: Uint8Array
  readonly signer: Signer
  /** The same key with another of its algorithms, for clients that prefer it. Throws as `KeyStore.signer`. */
  signWith(algorithm: SignatureAlgorithmName): Promise<Signer>
}

/** An authority that had an OCSP signer and has none now: its certificates are ours to answer for, and nobody can. */
export interface LostResponder {
  readonly authorityId: AuthorityId
  readonly authority: Certificate
}

export const OCSP_SIGNER_PROFILE = 'ocsp-signer'

/** The signer in use, and the one before it: another process may be signing with it just now. */
const KEPT_SIGNERS = 2

export interface OcspResponderPorts extends IdentityPorts {
  readonly keyStore: KeyStore
}

export class OcspResponders {
  readonly #ports: OcspResponderPorts
  #current: readonly OcspResponder[] = []
  #lost: readonly LostResponder[] = []

  constructor(ports: OcspResponderPorts) {
    this.#ports = ports
  }

  /** Those that can sign now. The list is replaced, never changed; while it is the same, so is each responder. */
  async current(): Promise<readonly OcspResponder[]> {
    return this.#current
  }

  /** Those that should and cannot. */
  get lost(): readonly LostResponder[] {
    return this.#lost
  }

  /**
   * Finds, makes and renews signers; returns how many were made. An authority whose key is not here and never signed OCSP here (the offline
   * root) has none. Where one of them fails the others are brought up to date, and the one keeps what it had until that ends; the first
   * failure is thrown then.
   */
  async refresh(): Promise<number> {
    const { authorities, keyStore, clock } = this.#ports
    const keys = await keyStore.list()
    const next: OcspResponder[] = []
    const lost: LostResponder[] = []
    const failures: unknown[] = []
    let made = 0
    for (const record of await authorities.all()) {
      if (record.state === 'awaiting_certificate') continue
      const authority = await authorities.certificate(record.id)
      if (clock.now() > authority.notAfter) continue
      const before = this.#current.find(({ authorityId }) => authorityId === record.id)
      try {
        const found = await this.#responder(record, authority, keys, before)
        if (found?.made) made++
        if (found) next.push(found.responder)
        else if (await this.#hadSigner(record.id)) lost.push({ authorityId: record.id, authority })
      } catch (thrown) {
        failures.push(thrown)
        if (before && clock.now() <= before.certificate.notAfter) next.push(before)
        else lost.push({ authorityId: record.id, authority })
      }
    }
    if (!sameMembers(next, this.#current)) this.#current = next
    this.#lost = lost
    if (failures.length > 0) throw failures[0]
    return made
  }

  async #responder(
    record: Authority,
    authority: Certificate,
    keys: readonly KeyInfo[],
    before: OcspResponder | undefined,
  ): Promise<{ readonly responder: OcspResponder; readonly made: boolean } | undefined> {
    const { authorities, clock } = this.#ports
    const online = holdsKey(keys, record)
    // The signer that was made before does its work to its end, also where the authority's own key is gone.
    const authoritySigner = online ? (await authorities.signing(record.id)).signer : undefined
    const plan = signerPlan(record.id, authoritySigner?.keyAlgorithm ?? 'P-256')
    const found = await findIdentity(plan, this.#ports)
    const due = !found || isIdentityDue(found.certificate, plan, clock.now())
    const made = online && record.state === 'active' && due ? await this.#make(plan) : undefined
    const identity = made ?? found
    // A retired authority issues nothing, not even a signer: it answers with its own key then (RFC 6960 §4.2.2.2).
    if (!identity && !authoritySigner) return undefined
    const certificate = identity?.certificate ?? authority
    if (before && equalBytes(before.certificate.raw, certificate.raw) && before.authority === authority) {
      return { responder: before, made: false }
    }
    const keyUri = identity?.keyUri ?? record.keyUri
    return { responder: await this.#open(record.id, authority, certificate, keyUri), made: made !== undefined }
  }

  async #make(plan: IdentityPlan) {
    const { clock } = this.#ports
    const identity = await makeIdentity(plan, this.#ports, ({ authorityId, serialNumber }) => [
      {
        at: clock.now(),
        actor: { kind: 'system', id: plan.actor },
        action: 'ocsp.signer_renewed',
        outcome: 'done',
        subject: { authorityId, serialNumber },
      },
    ])
    await destroyOldKeys(plan, this.#ports, KEPT_SIGNERS)
    return identity
  }

  async #open(
    authorityId: AuthorityId,
    authority: Certificate,
    certificate: Certificate,
    keyUri: string,
  ): Promise<OcspResponder> {
    const { keyStore } = this.#ports
    const signer = await keyStore.signer(keyUri)
    const opened = new Map<SignatureAlgorithmName, Promise<Signer>>([[signer.algorithm.name, Promise.resolve(signer)]])
    return {
      authorityId,
      authority,
      certificate,
      keyHash: sha1(certificate.subjectPublicKeyInfo.publicKey),
      signer,
      signWith(algorithm) {
        let other = opened.get(algorithm)
        if (other === undefined) {
          other = keyStore.signer(keyUri, algorithm)
          opened.set(algorithm, other)
          // What failed once may be there at the next request.
          other.catch(() => opened.delete(algorithm))
        }
        return other
      },
    }
  }

  async #hadSigner(id: AuthorityId): Promise<boolean> {
    return (await this.#ports.store.read.platformCertificates(id, OCSP_SIGNER_PROFILE)).length > 0
  }
}

function signerPlan(authority: AuthorityId, keyAlgorithm: IdentityPlan['keyAlgorithm']): IdentityPlan {
  return {
    profile: OCSP_SIGNER_PROFILE,
    authority,
    keyLabel: `ocsp-${authority}-`,
    keyAlgorithm,
    subjectFields: { commonName: `OCSP ${authority}` },
    renewAtRemaining: 0.5,
    actor: 'ocsp',
  }
}

function holdsKey(keys: readonly KeyInfo[], { keyUri }: Authority): boolean {
  return keys.some(key => key.keyUri === keyUri && (key.state === 'generated' || key.state === 'in-use'))
}

function sameMembers<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i])
}
