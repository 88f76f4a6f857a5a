// What a device says of itself, and what it is told: `POST /api/v1/device/health`. The report is telemetry; what counts is the certificate
// over which it comes, and `sequence`, in which two copies of one device give themselves away.
import type { Bytes } from '../bytes/bytes.ts'
import { formatTime, readMessage, writeMessage } from './json-message.ts'
import { type RenewalInfoMessage, readRenewalInfo, renewalInfoJson } from './renewal-info.ts'

export const KEY_PLACES = ['file', 'tpm', 'secure_element', 'hsm'] as const
export const KEY_PROTECTIONS = ['none', 'passphrase', 'hardware'] as const
export const DEVICE_STATES = ['manufactured', 'shipped', 'active', 'suspended', 'retired', 'destroyed'] as const
export const DEVICE_ORDERS = ['suspend', 'wipe'] as const

/** Times are whole seconds since 1970, by the device's clock. */
export interface HealthReport {
  /** Grows with each report of the device: 1 at first. */
  readonly sequence: number
  readonly time: number
  readonly agentVersion: string | null
  readonly firmware: string | null
  readonly configuration: string | null
  /** Whole days until its certificate ends, by its own clock; negative after that. */
  readonly daysLeft: number | null
  readonly lastError: { readonly code: string; readonly at: number } | null
  readonly keys: readonly {
    /** SHA-256 over the SubjectPublicKeyInfo, 64 hexadecimal digits. */
    readonly keyId: string
    readonly place: (typeof KEY_PLACES)[number]
    readonly protection: (typeof KEY_PROTECTIONS)[number]
  }[]
}

export interface HealthAnswer {
  /** The server's clock, in whole seconds since 1970. */
  readonly time: number
  readonly device: { readonly state: (typeof DEVICE_STATES)[number] }
  /** `suspend`: use the identity for nothing until told otherwise. `wipe`: destroy the keys and say so. */
  readonly order: (typeof DEVICE_ORDERS)[number] | null
  readonly renewal: RenewalInfoMessage | null
  /** The version in force; 0 where there is none yet. */
  readonly trustBundle: { readonly version: number }
}

/** Octets of a report, and of its answer. */
export const MAX_HEALTH_REPORT = 8192
export const MAX_HEALTH_ANSWER = 16_384
const MAX_KEYS = 32

/** SHA-256 in lower-case hexadecimal. */
export const KEY_ID = { max: 64, pattern: /^[0-9a-f]{64}$/ }
/** A stable dotted code, as devices and servers report what went wrong. */
const CODE = { max: 64, pattern: /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/ }
const VERSION = { max: 64 }
const NAME = { max: 128 }
const DAYS = { min: -100_000, max: 3_000_000 }
const POSITIVE = { min: 1, max: Number.MAX_SAFE_INTEGER }
const COUNT = { min: 0, max: Number.MAX_SAFE_INTEGER }

/** What is `null` is left out. */
export function encodeHealthReport(report: HealthReport): Bytes {
  const { sequence, time, agentVersion, firmware, configuration, daysLeft, lastError, keys } = report
  return writeMessage({
    sequence,
    time: formatTime(time),
    ...(agentVersion === null ? {} : { agentVersion }),
    ...(firmware === null ? {} : { firmware }),
    ...(configuration === null ? {} : { configuration }),
    ...(daysLeft === null ? {} : { daysLeft }),
    ...(lastError === null ? {} : { lastError: { code: lastError.code, at: formatTime(lastError.at) } }),
    ...(keys.length === 0 ? {} : { keys }),
  })
}

/** Throws `message.malformed`, `message.too_large`. */
export function parseHealthReport(octets: Uint8Array): HealthReport {
  const message = readMessage(octets, 'health', MAX_HEALTH_REPORT)
  return {
    sequence: message.integer('sequence', POSITIVE),
    time: message.time('time'),
    agentVersion: message.optional('agentVersion', (of, name) => of.text(name, VERSION)),
    firmware: message.optional('firmware', (of, name) => of.text(name, NAME)),
    configuration: message.optional('configuration', (of, name) => of.text(name, NAME)),
    daysLeft: message.optional('daysLeft', (of, name) => of.integer(name, DAYS)),
    lastError: message.optional('lastError', (of, name) => {
      const error = of.object(name)
      return { code: error.text('code', CODE), at: error.time('at') }
    }),
    keys:
      message.optional('keys', (of, name) =>
        of.objects(name, MAX_KEYS, key => ({
          keyId: key.text('keyId', KEY_ID),
          place: key.oneOf('place', KEY_PLACES),
          protection: key.oneOf('protection', KEY_PROTECTIONS),
        })),
      ) ?? [],
  }
}

export function encodeHealthAnswer(answer: HealthAnswer): Bytes {
  return writeMessage({
    time: formatTime(answer.time),
    device: { state: answer.device.state },
    order: answer.order,
    renewal: answer.renewal && renewalInfoJson(answer.renewal),
    trustBundle: { version: answer.trustBundle.version },
  })
}

/** Throws `message.malformed`, `message.too_large`: an order that is not known is a fault, for nobody can obey it. */
export function parseHealthAnswer(octets: Uint8Array): HealthAnswer {
  const message = readMessage(octets, 'health-answer', MAX_HEALTH_ANSWER)
  return {
    time: message.time('time'),
    device: { state: message.object('device').oneOf('state', DEVICE_STATES) },
    order: message.optional('order', (of, name) => of.oneOf(name, DEVICE_ORDERS)),
    renewal: message.optional('renewal', (of, name) => readRenewalInfo(of.object(name))),
    trustBundle: { version: message.object('trustBundle').integer('version', COUNT) },
  }
}
