// The delegated OCSP signers (RFC 6960 §4.2.2.2), one for each authority whose key is online: found again at start, made when missing, renewed
// well before their end. They are short-lived and carry id-pkix-ocsp-nocheck, so nobody asks for their own status.
import type { KeyInfo, KeyStore } from '../../crypto/key-store.ts'
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
import type { OcspResponder } from './answer-ocsp.ts'

export const OCSP_SIGNER_PROFILE = 'ocsp-signer'

/** The signer in use, and the one before it: another process may be signing with it just now. */
const KEPT_SIGNERS = 2

export interface OcspResponderPorts extends IdentityPorts {
  readonly keyStore: KeyStore
}

export class OcspResponders {
  readonly #ports: OcspResponderPorts
  #current: readonly OcspResponder[] = []

  constructor(ports: OcspResponderPorts) {
    this.#ports = ports
  }

  /** Those that can sign now. The list is replaced, never changed. */
  async current(): Promise<readonly OcspResponder[]> {
    return this.#current
  }

  /** Finds, makes and renews signers; returns how many were made. An authority whose key is not here (the offline root) has none. */
  async refresh(): Promise<number> {
    const { authorities, keyStore, clock } = this.#ports
    const keys = await keyStore.list()
    const next: OcspResponder[] = []
    let made = 0
    for (const record of await authorities.all()) {
      if (record.state === 'awaiting_certificate' || !holdsKey(keys, record)) continue
      const { certificate: authority, signer: authoritySigner } = await authorities.signing(record.id)
      if (clock.now() > authority.notAfter) continue
      const plan = signerPlan(record.id, authoritySigner.keyAlgorithm)
      let identity = await findIdentity(plan, this.#ports)
      if (record.state === 'active' && (!identity || isIdentityDue(identity.certificate, plan, clock.now()))) {
        identity = await makeIdentity(plan, this.#ports, ({ authorityId, serialNumber }) => [
          {
            at: clock.now(),
            actor: { kind: 'system', id: plan.actor },
            action: 'ocsp.signer_renewed',
            outcome: 'done',
            subject: { authorityId, serialNumber },
          },
        ])
        made++
        await destroyOldKeys(plan, this.#ports, KEPT_SIGNERS)
      }
      // A retired authority issues nothing, not even a signer: it answers with its own key then (RFC 6960 §4.2.2.2).
      const responder = identity
        ? { certificate: identity.certificate, signer: await keyStore.signer(identity.keyUri) }
        : { certificate: authority, signer: authoritySigner }
      next.push({ authorityId: record.id, authority, ...responder })
    }
    this.#current = next
    return made
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
