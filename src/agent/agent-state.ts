// Everything public that an agent knows, in one file that is replaced as a whole: which identity is in use, which request is under way,
// which roots are pinned. Keys and certificates are files beside it; what it does not name does not count.
import { fromBase64, toBase64 } from '../core/bytes/base64.ts'
import type { Bytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type JsonObject, malformed, readMessage, writeMessage } from '../core/messages/json-message.ts'
import { isKeyAlgorithmName, type KeyAlgorithmName } from '../crypto/algorithms.ts'
import type { PassphraseKeyParameters } from '../crypto/passphrase-key.ts'
import type { Retry } from './back-off.ts'

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

export interface WipeRecord {
  readonly orderedAt: number
  /** The signed message in base64, made once; `null` where no key was left to sign with. */
  readonly statement: string | null
  /** Whether a server has taken it, or refused it for good. */
  readonly heard: boolean
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

/** What follows from a success: no more waiting, and its error is past. Part of the same move as the success, so that a power cut keeps them together. */
export function settled(state: AgentState, activity: Activity): Pick<AgentState, 'retries' | 'lastError'> {
  const { [activity]: _past, ...retries } = state.retries
  return { retries, lastError: state.lastError?.activity === activity ? null : state.lastError }
}

const FORMAT = 'touchmark-agent-v1'
/** Roots, servers, events: what a state of ours never reaches. */
const MAX_LIST = 64
/** Sixty-four roots with ML-DSA-87 signatures in base64. */
const MAX_STATE = 1024 * 1024
const TEXT = { max: 4096 }
const LONG = { max: 262_144 }
const TIME = { min: 0, max: 253_402_300_799 }
const COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER }

export function encodeState(state: AgentState): Bytes {
  return writeMessage({ format: FORMAT, ...state })
}

/** Throws `agent.state_damaged`. */
export function parseState(octets: Uint8Array): AgentState {
  try {
    return readState(readMessage(octets, 'state', MAX_STATE))
  } catch (cause) {
    if (!(cause instanceof TouchmarkError)) throw cause
    throw new TouchmarkError('agent.state_damaged', 'internal', "The agent's state cannot be read.", {
      cause,
      next: 'Restore the folder from a copy, or enrol the device anew in an empty folder.',
      evidence: cause.evidence,
    })
  }
}

function readState(object: JsonObject): AgentState {
  object.oneOf('format', [FORMAT])
  const device = object.object('device')
  const trust = object.object('trust')
  return {
    device: { model: device.text('model', TEXT), serialNumber: device.text('serialNumber', TEXT) },
    servers: object.texts('servers', MAX_LIST, TEXT),
    profile: object.text('profile', TEXT),
    keyAlgorithm: algorithm(object, 'keyAlgorithm'),
    keyPlace: object.text('keyPlace', TEXT),
    seal: nested(object, 'seal', readSeal),
    bootstrap: nested(object, 'bootstrap', readBootstrap),
    trust: { version: trust.integer('version', COUNT), certificates: trust.texts('certificates', MAX_LIST, LONG) },
    generation: object.integer('generation', COUNT),
    current: nested(object, 'current', readIdentity),
    previous: nested(object, 'previous', readIdentity),
    confirmed: object.boolean('confirmed'),
    pending: nested(object, 'pending', readPending),
    renewal: nested(object, 'renewal', readPlan),
    sequence: object.integer('sequence', COUNT),
    lastReportAt: object.optional('lastReportAt', seconds),
    askAt: object.optional('askAt', seconds),
    knownTrustVersion: object.integer('knownTrustVersion', COUNT),
    suspended: object.boolean('suspended'),
    wipe: nested(object, 'wipe', readWipe),
    lastServerTime: seconds(object, 'lastServerTime'),
    lastError: nested(object, 'lastError', self => ({
      activity: self.oneOf('activity', [...ACTIVITIES, 'hook', 'identity']),
      code: self.text('code', TEXT),
      message: self.text('message', TEXT),
      at: seconds(self, 'at'),
    })),
    retries: readRetries(object.object('retries')),
    hooksDue: object.texts('hooksDue', MAX_LIST, TEXT).flatMap(name => HOOK_EVENTS.find(known => known === name) ?? []),
  }
}

function readIdentity(object: JsonObject): IdentityRecord {
  return {
    generation: object.integer('generation', COUNT),
    profile: object.text('profile', TEXT),
    serialNumber: object.text('serialNumber', TEXT),
    notBefore: seconds(object, 'notBefore'),
    notAfter: seconds(object, 'notAfter'),
    keyId: object.text('keyId', TEXT),
    keyAlgorithm: algorithm(object, 'keyAlgorithm'),
    keySha256: object.text('keySha256', TEXT),
    certificateSha256: object.text('certificateSha256', TEXT),
  }
}

function readPending(object: JsonObject): PendingRequest {
  return {
    kind: object.oneOf('kind', ['enrol', 'renew']),
    generation: object.integer('generation', COUNT),
    profile: object.text('profile', TEXT),
    keyAlgorithm: algorithm(object, 'keyAlgorithm'),
    keySha256: object.text('keySha256', TEXT),
    csr: object.text('csr', LONG),
  }
}

function readBootstrap(object: JsonObject): Bootstrap {
  if (object.oneOf('kind', ['token', 'certificate']) === 'token') return { kind: 'token' }
  return {
    kind: 'certificate',
    keySha256: object.text('keySha256', TEXT),
    keyId: object.text('keyId', TEXT),
    keyAlgorithm: algorithm(object, 'keyAlgorithm'),
  }
}

function readSeal(object: JsonObject): SealRecord {
  return {
    salt: object.text('salt', TEXT),
    check: object.text('check', TEXT),
    memoryKiB: object.integer('memoryKiB', COUNT),
    passes: object.integer('passes', COUNT),
    lanes: object.integer('lanes', COUNT),
  }
}

function readPlan(object: JsonObject): RenewalPlan {
  return {
    serialNumber: object.text('serialNumber', TEXT),
    windowStart: seconds(object, 'windowStart'),
    windowEnd: seconds(object, 'windowEnd'),
    renewAt: seconds(object, 'renewAt'),
    reason: object.text('reason', TEXT),
    order: nested(object, 'order', order => ({
      newKey: order.boolean('newKey'),
      keyAlgorithm: order.optional('keyAlgorithm', algorithm),
      profile: order.optional('profile', (from, name) => from.text(name, TEXT)),
    })),
  }
}

function readWipe(object: JsonObject): WipeRecord {
  return {
    orderedAt: seconds(object, 'orderedAt'),
    statement: object.optional('statement', (of, name) => of.text(name, LONG)),
    heard: object.boolean('heard'),
    done: object.boolean('done'),
  }
}

function readRetries(object: JsonObject): Partial<Record<Activity, Retry>> {
  const retries: Partial<Record<Activity, Retry>> = {}
  for (const activity of ACTIVITIES) {
    const found = nested(object, activity, self => ({
      failures: self.integer('failures', COUNT),
      at: seconds(self, 'at'),
      asked: self.boolean('asked'),
    }))
    if (found) retries[activity] = found
  }
  return retries
}

function nested<T>(object: JsonObject, name: string, read: (self: JsonObject) => T): T | null {
  return object.optional(name, (of, member) => read(of.object(member)))
}

function seconds(object: JsonObject, name: string): number {
  return object.integer(name, TIME)
}

function algorithm(object: JsonObject, name: string): KeyAlgorithmName {
  const text = object.text(name, TEXT)
  if (!isKeyAlgorithmName(text)) throw malformed(name, 'is no key algorithm that is known here')
  return text
}

/** Pinned roots of the state, DER. */
export function pinnedRoots(state: AgentState): Bytes[] {
  return state.trust.certificates.map(fromBase64)
}

export function encodeRoots(roots: readonly Uint8Array[]): string[] {
  return roots.map(toBase64)
}
