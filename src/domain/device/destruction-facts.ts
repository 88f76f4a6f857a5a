// What a certificate of destruction says: the device, how each of its credentials and keys ended, and what vouches for that. One JSON text
// that is made once, when the device is destroyed, and never again: the log commits to its octets.
import type { Bytes } from '../../core/bytes/bytes.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { parseSignedWipeStatement } from '../../core/messages/wipe-statement.ts'
import { sha256Hex } from '../../crypto/digest.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { CertificateRecord } from '../ca/certificate-record.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Device } from './device.ts'
import type { DeviceKey } from './device-key.ts'
import type { Statement } from './statement.ts'

export const DESTRUCTION_TYPE = 'touchmark-certificate-of-destruction-v1'

export interface DestructionFacts {
  readonly type: typeof DESTRUCTION_TYPE
  readonly organization: string
  readonly device: {
    readonly id: string
    readonly model: string
    readonly serialNumber: string
    readonly batch: string | null
    readonly registeredAt: string
    readonly retiredAt: string
    readonly destroyedAt: string
  }
  /** Who said so, as the log names them. */
  readonly declaredBy: { readonly kind: string; readonly id: string }
  readonly keys: readonly {
    readonly id: string
    readonly algorithm: string
    readonly origin: string
    readonly endedAt: string
    /** Digest of the statement that says why it counts as beyond use. */
    readonly statementSha256: string | null
  }[]
  readonly certificates: readonly {
    readonly issuer: string
    readonly serialNumber: string
    readonly sha256: string
    readonly profile: string
    /** `expired`: its time was over before anybody had to end it. */
    readonly ended: 'revoked' | 'expired'
    readonly endedAt: string
    readonly reason: string | null
  }[]
  readonly statements: readonly { readonly kind: string; readonly sha256: string; readonly at: string }[]
  /** Personal properties that were erased with the device. */
  readonly personalPropertiesErased: number
}

export interface DestructionSources {
  readonly organization: string
  /** As it was retired. */
  readonly device: Device
  readonly actor: AuditEntry['actor']
  readonly certificates: readonly CertificateRecord[]
  /** All of them, as they were. */
  readonly keys: readonly DeviceKey[]
  /** Those that end with the device, and the statement that says so. */
  readonly ending: readonly DeviceKey[]
  readonly witness: Statement | null
  /** Those that were there before. */
  readonly statements: readonly Statement[]
  readonly erased: number
  readonly now: UnixSeconds
}

/** The octets that are signed and logged. */
export function encodeDestructionFacts(sources: DestructionSources): Bytes {
  const { device, certificates, keys, ending, witness, statements, now } = sources
  const { id, model, serialNumber, batch, createdAt, stateChangedAt } = device
  const evidence = new Map<string, string>()
  for (const statement of statements) for (const key of wipedKeys(statement)) evidence.set(key, statement.sha256)
  if (witness) for (const key of ending) evidence.set(key.id, witness.sha256)
  const kept = witness ? [...statements, witness] : statements
  const ended = new Set(ending.map(key => key.id))
  const facts: DestructionFacts = {
    type: DESTRUCTION_TYPE,
    organization: sources.organization,
    device: {
      id,
      model,
      serialNumber,
      batch,
      registeredAt: time(createdAt),
      retiredAt: time(stateChangedAt),
      destroyedAt: time(now),
    },
    declaredBy: sources.actor,
    keys: keys.map(key => ({
      id: key.id,
      algorithm: key.algorithm,
      origin: key.origin,
      endedAt: time(ended.has(key.id) ? now : key.stateChangedAt),
      statementSha256: evidence.get(key.id) ?? null,
    })),
    certificates: certificates.map(record => ({
      issuer: record.authorityId,
      serialNumber: record.serialNumber,
      sha256: sha256Hex(record.der),
      profile: record.profile,
      ...endOf(record),
    })),
    statements: kept
      .filter(({ kind }) => kind === 'wipe' || kind === 'destruction_witness')
      .map(({ kind, sha256, at }) => ({ kind, sha256, at: time(at) })),
    personalPropertiesErased: sources.erased,
  }
  return toUtf8(`${JSON.stringify(facts, null, 2)}\n`)
}

function endOf({ status, notAfter }: CertificateRecord) {
  return status.kind === 'revoked'
    ? ({ ended: 'revoked', endedAt: time(status.at), reason: status.reason } as const)
    : ({ ended: 'expired', endedAt: time(notAfter), reason: null } as const)
}

/** The keys that signed a device's own statement that they are wiped; none where it is of another kind. */
function wipedKeys({ kind, bytes }: Statement): readonly string[] {
  if (kind !== 'wipe') return []
  try {
    return parseSignedWipeStatement(bytes).signatures.map(({ keyId }) => keyId)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return []
    throw thrown
  }
}

function time(seconds: UnixSeconds): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
