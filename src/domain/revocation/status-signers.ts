// Who signs the status artefacts: for each authority whose key is online a delegated signer of its own, with the purpose that an OCSP signer has
// (RFC 6960 §4.2.2.2) and another key. A retired authority appoints nobody: then its own key signs.

import type { KeyStore } from '../../crypto/key-store.ts'
import type { AuditEntry } from '../audit/entry.ts'
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
import { OCSP_SIGNER_PROFILE } from './ocsp-responders.ts'
import type { StatusIssuer } from './status-artefact.ts'

export interface StatusSignerPorts extends IdentityPorts {
  readonly keyStore: KeyStore
}

/** The signer in use, and the one before it: another process may be signing with it just now. */
const KEPT_SIGNERS = 2

/** Finds, makes or renews the signer of an authority; `undefined` where the authority's key is not here, or it has no certificate yet. */
export async function statusIssuer(id: AuthorityId, ports: StatusSignerPorts): Promise<StatusIssuer | undefined> {
  const { authorities, keyStore, clock } = ports
  const record = await authorities.byId(id)
  if (!record || record.state === 'awaiting_certificate') return undefined
  const authority = await authorities.certificate(id)
  if (clock.now() > authority.notAfter || !(await holdsKey(keyStore, record))) return undefined
  const own = await authorities.signing(id)
  const plan = signerPlan(id, own.signer.keyAlgorithm)
  const found = await findIdentity(plan, ports)
  const isDue = !found || isIdentityDue(found.certificate, plan, clock.now())
  const identity = record.state === 'active' && isDue ? await renewed(plan, ports) : found
  return {
    authorityId: id,
    authority,
    crlShards: record.crlShards,
    certificate: identity?.certificate ?? authority,
    signer: identity ? await keyStore.signer(identity.keyUri) : own.signer,
  }
}

async function renewed(plan: IdentityPlan, ports: StatusSignerPorts) {
  const identity = await makeIdentity(plan, ports, ({ authorityId, serialNumber }): AuditEntry[] => [
    {
      at: ports.clock.now(),
      actor: { kind: 'system', id: plan.actor },
      action: 'status.signer_renewed',
      outcome: 'done',
      subject: { authorityId, serialNumber },
    },
  ])
  await destroyOldKeys(plan, ports, KEPT_SIGNERS)
  return identity
}

function signerPlan(authority: AuthorityId, keyAlgorithm: IdentityPlan['keyAlgorithm']): IdentityPlan {
  return {
    profile: OCSP_SIGNER_PROFILE,
    authority,
    keyLabel: `status-${authority}-`,
    keyAlgorithm,
    subjectFields: { commonName: `Status ${authority}` },
    renewAtRemaining: 0.5,
    actor: 'status',
  }
}

async function holdsKey(keyStore: Pick<KeyStore, 'list'>, { keyUri }: Authority): Promise<boolean> {
  const keys = await keyStore.list()
  return keys.some(key => key.keyUri === keyUri && (key.state === 'generated' || key.state === 'in-use'))
}
