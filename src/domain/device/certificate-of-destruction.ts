// The certificate of destruction, as it is handed out: the facts that were written down when the device was destroyed, the platform's
// signature over them, and the proof that the log knew them. Whoever holds the roots and the log's verifier key checks all of it without us
// (docs/guides/end-of-life.md).
import { type Bytes, copyBytes } from '../../core/bytes/bytes.ts'
import { fromUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { Checkpoint } from '../../core/merkle/checkpoint.ts'
import { inclusionProofFromTiles } from '../../core/merkle/proof-from-tiles.ts'
import { leafHash, verifyInclusion } from '../../core/merkle/tree.ts'
import { signData } from '../../crypto/cms.ts'
import { sha256 } from '../../crypto/digest.ts'
import type { KeyStore } from '../../crypto/key-store.ts'
import { type AuditEntry, parseAuditEntry } from '../audit/entry.ts'
import { ensureProfile } from '../ca/ensure-profile.ts'
import { ensureIdentity, type IdentityPlan, type IdentityPorts } from '../ca/platform-identity.ts'
import type { DeviceId } from '../ids.ts'
import type { Store, StoreReader } from '../ports.ts'
import { destructionPublicationName, noteDestruction } from './destroy-device.ts'
import type { DestructionFacts } from './destruction-facts.ts'
import type { Statement } from './statement.ts'

export interface CertificateOfDestruction {
  readonly facts: DestructionFacts
  /** What is signed, and what the log commits to: JSON, octet for octet. */
  readonly octets: Uint8Array
  /** Detached CMS SignedData over `octets`, DER, with the chain of its signer. */
  readonly signature: Bytes
  readonly logEntry: {
    readonly index: number
    /** The entry as it was logged: it names the SHA-256 of `octets`. */
    readonly entry: string
    /** RFC 9162 §2.1.3, leaf to root. */
    readonly proof: readonly Uint8Array[]
    /** A signed note (C2SP tlog-checkpoint) that covers the entry. */
    readonly checkpoint: string
  }
}

export interface CertificationPorts extends IdentityPorts {
  readonly keyStore: KeyStore
  /** Signs the head of the log where it has grown. */
  signCheckpoint(): Promise<void>
  /** Reads a checkpoint that is signed with a key of this log. */
  openCheckpoint(note: string): Checkpoint
}

export const RECORD_SIGNER_PROFILE = 'record-signer'

const SIGNER: IdentityPlan = {
  profile: RECORD_SIGNER_PROFILE,
  keyLabel: 'record-signer-',
  keyAlgorithm: 'P-256',
  subjectFields: { commonName: 'Record signer' },
  renewAtRemaining: 1 / 3,
  actor: 'records',
}
const ACTOR: AuditEntry['actor'] = { kind: 'system', id: SIGNER.actor }

/** Signs and proves. Throws `device.not_found`, `device.not_destroyed`, and what issuing, the key store and the log throw. */
export async function certifyDestruction(id: DeviceId, ports: CertificationPorts): Promise<CertificateOfDestruction> {
  const { store, keyStore, authorities, clock, signCheckpoint } = ports
  const statement = await readFacts(id, store.read)
  const index = await entryIndex(id, statement, ports)
  await ensureProfile(RECORD_SIGNER_PROFILE, ACTOR, ports)
  const identity = await ensureIdentity(SIGNER, ports)
  const chain = (await authorities.chain(identity.record.authorityId)).slice(0, -1)
  const octets = copyBytes(statement.bytes)
  const signature = await signData({
    content: octets,
    signer: await keyStore.signer(identity.keyUri),
    certificate: identity.certificate,
    certificates: chain,
    signingTime: clock.now(),
    detached: true,
  })
  const covered = ((await store.read.latestCheckpoint())?.size ?? 0) > index
  if (!covered) await signCheckpoint()
  const logEntry = await proveEntry(index, ports)
  return { facts: JSON.parse(fromUtf8(octets)) as DestructionFacts, octets, signature, logEntry }
}

async function readFacts(id: DeviceId, read: StoreReader): Promise<Statement> {
  const device = await read.device(id)
  if (device === undefined) {
    throw new TouchmarkError('device.not_found', 'not_found', `There is no device ${id}.`, {
      next: 'List devices with: touchmark device list',
    })
  }
  const facts = (await read.statementsOfDevice(id)).findLast(({ kind }) => kind === 'destruction_facts')
  if (device.state === 'destroyed' && facts !== undefined) return facts
  throw new TouchmarkError('device.not_destroyed', 'conflict', `The device is ${device.state}.`, {
    next: 'Destroy it first: touchmark device retire SERIAL, then touchmark device destroy SERIAL',
  })
}

/** Where the log speaks of the facts. Where that was not noted (the process died in between), they are logged once more. */
async function entryIndex(id: DeviceId, facts: Statement, { store, clock }: CertificationPorts): Promise<number> {
  const noted = await store.read.publication(destructionPublicationName(id))
  if (noted !== undefined && (await speaksOf(noted.number, facts, store))) return noted.number
  const { firstAuditIndex } = await store.commit({
    writes: [{ kind: 'statement.put', statement: facts }],
    audit: [
      {
        at: clock.now(),
        actor: ACTOR,
        action: 'device.destruction_certified',
        outcome: 'done',
        subject: { deviceId: id },
        detail: { certificateOfDestructionSha256: facts.sha256 },
      },
    ],
  })
  await noteDestruction(id, facts, firstAuditIndex, store)
  return firstAuditIndex
}

async function speaksOf(index: number, { sha256: digest, deviceId }: Statement, { read }: Store): Promise<boolean> {
  const bytes = await read.auditEntry(index)
  if (bytes === undefined) return false
  const { action, subject, detail } = parseAuditEntry(bytes)
  return (
    action === 'device.destruction_certified' &&
    subject['deviceId'] === deviceId &&
    detail?.['certificateOfDestructionSha256'] === digest
  )
}

async function proveEntry(
  index: number,
  { store: { read }, openCheckpoint }: CertificationPorts,
): Promise<CertificateOfDestruction['logEntry']> {
  const [entry, latest] = await Promise.all([read.auditEntry(index), read.latestCheckpoint()])
  if (entry === undefined || latest === undefined || latest.size <= index) {
    throw new TouchmarkError('audit.not_yet_signed', 'conflict', `No checkpoint covers entry ${index} yet.`, {
      next: 'A running server signs one within seconds: touchmark serve.',
    })
  }
  const { size, root } = openCheckpoint(latest.note)
  const proof = await inclusionProofFromTiles(sha256, index, size, (level, tile) => read.auditTile(level, tile))
  // What does not verify must not be handed out.
  verifyInclusion(sha256, { index, size, leafHash: leafHash(sha256, entry), proof, root })
  return { index, entry: fromUtf8(entry), proof, checkpoint: latest.note }
}
