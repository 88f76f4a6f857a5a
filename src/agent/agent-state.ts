// Everything public that an agent knows, in one file that is replaced as a whole: which identity is in use, which request is under way,
// which roots are pinned. Keys and certificates are files beside it; what it does not name does not count.
import { fromBase64, toBase64 } from '../core/bytes/base64.ts'
import type { Bytes } from '../core/bytes/bytes.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import { isKeyAlgorithmName, type KeyAlgorithmName } from '../crypto/algorithms.ts'
import type { PassphraseKeyParameters } from '../crypto/passphrase-key.ts'
import type { Retry } from './back-off.ts'
import { FieldError, type JsonObject, readJson } from './json-fields.ts'

/** A key with its certificate: `identities/<generation>/`. */
export interface IdentityRecord {
  readonly generation: number
  readonly profile: string
  /** Of the certificate, lower-case hexadecimal. */
  readonly serialNumber: string
  readonly notBefore: number
  readonly notAfter: number
  /** SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
  readonly keyId: string
  readonly keyAlgorithm: KeyAlgorithmName
  /** Digests of the files as they were written: a file that was altered since is not used. */
  readonly keySha256: string
  readonly certificateSha256: string
}

/** A request that may have reached the server: it is repeated as it is until there is an answer. */
export interface PendingRequest {
  /** `renew` shows the current certificate, `enrol` what the device was given to begin with. */
  readonly kind: 'enrol' | 'renew'
  readonly generation: number
  readonly profile: string
  readonly keyAlgorithm: KeyAlgorithmName
  readonly keySha256: string
  /** DER, base64. */
  readonly csr: string
}

/** What the device begins with, and falls back to; the secret parts are files. */
export type Bootstrap =
  | { readonly kind: 'token' }
  /** `bootstrap/certificate.pem` and `bootstrap/key.pem`. */
  | {
      readonly kind: 'certificate'
      readonly keySha256: string
      readonly keyId: string
      readonly keyAlgorithm: KeyAlgorithmName
    }

export interface RenewalPlan {
  /** The certificate that the plan is for. */
  readonly serialNumber: string
  /** The window as the server suggested it, whole seconds; as the agent chose it where the server has none. */
  readonly windowStart: number
  readonly windowEnd: number
  /** The moment within it that this agent drew. */
  readonly renewAt: number
  readonly reason: string
  readonly order: RenewalWish | null
}

/** What the server wants to be true after the renewal. */
export interface RenewalWish {
  readonly newKey: boolean
  readonly keyAlgorithm: KeyAlgorithmName | null
  readonly profile: string | null
}

/** Things that are tried again, each with its own waiting. */
export const ACTIVITIES = ['report', 'renew', 'trust', 'wipe'] as const
export type Activity = (typeof ACTIVITIES)[number]

/** What a program beside the agent is told of. */
export const HOOK_EVENTS = ['enrolled', 'renewed', 'trust-updated', 'suspended', 'resumed', 'wiped'] as const
export type HookEventName = (typeof HOOK_EVENTS)[number]

/** What the device says when it wipes itself, and who of its keys says so; octets and signatures in base64. */
export interface WipeStatement {
  readonly octets: string
  readonly signatures: readonly { readonly keyId: string; readonly signature: string }[]
}

export interface WipeRecord {
  readonly orderedAt: number
  /** Octets of the statement and the signatures over it, as they are sent; `null` once there was nothing left to sign with. */
  readonly statement: WipeStatement | null
  /** Whether the server has taken the statement. */
  readonly accepted: boolean
  /** Whether the keys are gone. */
  readonly done: boolean
}

export interface LastError {
  readonly activity: Activity | 'hook' | 'identity'
  readonly code: string
  readonly message: string
  /** Whole seconds, by the agent's judgement of time. */
  readonly at: number
}

/** How secrets are sealed; the passphrase itself is nowhere. */
export interface SealRecord extends PassphraseKeyParameters {
  /** Base64. */
  readonly salt: string
  /** A sealed box, base64: opens under the right passphrase only, so that no key is ever sealed under a wrong one. */
  readonly check: string
}

export interface AgentState {
  readonly device: { readonly model: string; readonly serialNumber: string }
  readonly servers: readonly string[]
  readonly profile: string
  readonly keyAlgorithm: KeyAlgorithmName
  /** Scheme of the place of keys: `file`. */
  readonly keyPlace: string
  readonly seal: SealRecord | null
  readonly bootstrap: Bootstrap | null
  /** Pinned roots, DER in base64. Version 0 is what came with the device. */
  readonly trust: { readonly version: number; readonly certificates: readonly string[] }
  /** The highest generation that was ever used. */
  readonly generation: number
  readonly current: IdentityRecord | null
  /** The one before, until the server has seen the current one. */
  readonly previous: IdentityRecord | null
  /** Whether the server has seen the current one. */
  readonly confirmed: boolean
  readonly pending: PendingRequest | null
  readonly renewal: RenewalPlan | null
  /** Number of the last report, written before it is sent. */
  readonly sequence: number
  readonly lastReportAt: number | null
  /** When the server wants to be asked again for the window. */
  readonly askAt: number | null
  /** The trust bundle that the server last spoke of. */
  readonly knownTrustVersion: number
  readonly suspended: boolean
  readonly wipe: WipeRecord | null
  /** Newest time of an authenticated server: a lower bound for the clock. */
  readonly lastServerTime: number
  readonly lastError: LastError | null
  readonly retries: Readonly<Partial<Record<Activity, Retry>>>
  readonly hooksDue: readonly HookEventName[]
}

const FORMAT = 'touchmark-agent-v1'
/** Roots in one bundle, servers, and so on: what a state of ours never reaches. */
const MAX_LIST = 64

export function encodeState(state: AgentState): Bytes {
  return toUtf8(`${JSON.stringify({ format: FORMAT, ...state }, null, 1)}\n`)
}

/** Throws `agent.state_damaged`. */
export function parseState(text: string): AgentState {
  return readJson(text, readState, reason => {
    return new TouchmarkError('agent.state_damaged', 'internal', "The agent's state cannot be read.", {
      next: 'Restore the folder from a copy, or enrol the device anew in an empty folder.',
      evidence: { reason },
    })
  })
}

function readState(object: JsonObject): AgentState {
  object.word('format', [FORMAT])
  const device = object.object('device')
  const trust = object.object('trust')
  return {
    device: { model: device.text('model'), serialNumber: device.text('serialNumber') },
    servers: object.texts('servers', MAX_LIST),
    profile: object.text('profile'),
    keyAlgorithm: algorithm(object, 'keyAlgorithm'),
    keyPlace: object.text('keyPlace'),
    seal: optional(object, 'seal', readSeal),
    bootstrap: optional(object, 'bootstrap', readBootstrap),
    trust: { version: trust.count('version'), certificates: trust.texts('certificates', MAX_LIST, 65536) },
    generation: object.count('generation'),
    current: optional(object, 'current', readIdentity),
    previous: optional(object, 'previous', readIdentity),
    confirmed: object.flag('confirmed'),
    pending: optional(object, 'pending', readPending),
    renewal: optional(object, 'renewal', readPlan),
    sequence: object.count('sequence'),
    lastReportAt: object.optionalCount('lastReportAt'),
    askAt: object.optionalCount('askAt'),
    knownTrustVersion: object.count('knownTrustVersion'),
    suspended: object.flag('suspended'),
    wipe: optional(object, 'wipe', readWipe),
    lastServerTime: object.count('lastServerTime'),
    lastError: optional(object, 'lastError', self => ({
      activity: self.word('activity', [...ACTIVITIES, 'hook', 'identity']),
      code: self.text('code'),
      message: self.text('message'),
      at: self.count('at'),
    })),
    retries: readRetries(object.object('retries')),
    hooksDue: object
      .texts('hooksDue', MAX_LIST)
      .filter(name => HOOK_EVENTS.some(known => known === name)) as HookEventName[],
  }
}

function readIdentity(object: JsonObject): IdentityRecord {
  return {
    generation: object.count('generation'),
    profile: object.text('profile'),
    serialNumber: object.text('serialNumber'),
    notBefore: object.count('notBefore'),
    notAfter: object.count('notAfter'),
    keyId: object.text('keyId'),
    keyAlgorithm: algorithm(object, 'keyAlgorithm'),
    keySha256: object.text('keySha256'),
    certificateSha256: object.text('certificateSha256'),
  }
}

function readPending(object: JsonObject): PendingRequest {
  return {
    kind: object.word('kind', ['enrol', 'renew']),
    generation: object.count('generation'),
    profile: object.text('profile'),
    keyAlgorithm: algorithm(object, 'keyAlgorithm'),
    keySha256: object.text('keySha256'),
    csr: object.text('csr', 65536),
  }
}

function readBootstrap(object: JsonObject): Bootstrap {
  if (object.word('kind', ['token', 'certificate']) === 'token') return { kind: 'token' }
  return {
    kind: 'certificate',
    keySha256: object.text('keySha256'),
    keyId: object.text('keyId'),
    keyAlgorithm: algorithm(object, 'keyAlgorithm'),
  }
}

function readSeal(object: JsonObject): SealRecord {
  return {
    salt: object.text('salt'),
    check: object.text('check'),
    memoryKiB: object.count('memoryKiB'),
    passes: object.count('passes'),
    lanes: object.count('lanes'),
  }
}

function readPlan(object: JsonObject): RenewalPlan {
  return {
    serialNumber: object.text('serialNumber'),
    windowStart: object.count('windowStart'),
    windowEnd: object.count('windowEnd'),
    renewAt: object.count('renewAt'),
    reason: object.text('reason'),
    order: optional(object, 'order', readWish),
  }
}

/** Also for what a server says: `newKey`, `keyAlgorithm`, `profile`. An algorithm that is not known here is refused. */
export function readWish(object: JsonObject): RenewalWish {
  return {
    newKey: object.flag('newKey'),
    keyAlgorithm: object.optionalText('keyAlgorithm') === null ? null : algorithm(object, 'keyAlgorithm'),
    profile: object.optionalText('profile', 128),
  }
}

function readWipe(object: JsonObject): WipeRecord {
  return {
    orderedAt: object.count('orderedAt'),
    statement: optional(object, 'statement', self => ({
      octets: self.text('octets', 65536),
      signatures: self.objects('signatures', MAX_LIST).map(one => ({
        keyId: one.text('keyId'),
        signature: one.text('signature', 16384),
      })),
    })),
    accepted: object.flag('accepted'),
    done: object.flag('done'),
  }
}

function readRetries(object: JsonObject): Partial<Record<Activity, Retry>> {
  const retries: Partial<Record<Activity, Retry>> = {}
  for (const activity of ACTIVITIES) {
    const found = object.optionalObject(activity)
    if (found)
      retries[activity] = { failures: found.count('failures'), at: found.count('at'), asked: found.flag('asked') }
  }
  return retries
}

function optional<T>(object: JsonObject, name: string, read: (self: JsonObject) => T): T | null {
  const found = object.optionalObject(name)
  return found && read(found)
}

function algorithm(object: JsonObject, name: string): KeyAlgorithmName {
  const text = object.text(name)
  if (!isKeyAlgorithmName(text)) throw new FieldError(`${name} is no key algorithm that is known here`)
  return text
}

/** Pinned roots of the state, DER. */
export function pinnedRoots(state: AgentState): Bytes[] {
  return state.trust.certificates.map(fromBase64)
}

export function encodeRoots(roots: readonly Uint8Array[]): string[] {
  return roots.map(toBase64)
}
