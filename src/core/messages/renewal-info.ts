// When a device should renew, and why: the answer to `GET /api/v1/device/renewal-info`. The window means what RFC 9773 §4.2 means by it; the
// order beside it says what shall be true of the next certificate.
import type { Bytes } from '../bytes/bytes.ts'
import { formatTime, type JsonObject, malformed, readMessage, writeMessage } from './json-message.ts'

/** Times are whole seconds since 1970. */
export interface RenewalInfoMessage {
  readonly profile: string
  readonly certificate: {
    /** Lower-case hexadecimal. */
    readonly serialNumber: string
    readonly notAfter: number
  }
  readonly suggestedWindow: { readonly start: number; readonly end: number }
  /** `scheduled`, `campaign`, …: a reader takes reasons that it does not know. */
  readonly reason: string
  readonly order: {
    readonly newKey: boolean
    readonly keyAlgorithm: string | null
    /** The label to renew under, where it is another. */
    readonly profile: string | null
    readonly until: number
  } | null
}

/** Octets of the answer that a device reads. */
export const MAX_RENEWAL_INFO = 8192

const PROFILE = { max: 128, pattern: /^[A-Za-z0-9][A-Za-z0-9._-]*$/ }
const REASON = { max: 64, pattern: /^[a-z0-9]+(?:[._-][a-z0-9]+)*$/ }
const SERIAL_NUMBER = { max: 64, pattern: /^(?:[0-9a-f]{2})+$/ }
const KEY_ALGORITHM = { max: 32, pattern: /^[A-Za-z0-9][A-Za-z0-9-]*$/ }

export function encodeRenewalInfo(info: RenewalInfoMessage): Bytes {
  return writeMessage(renewalInfoJson(info))
}

/** Throws `message.malformed`, `message.too_large`; also where the window ends before it begins (RFC 9773 §4.2). */
export function parseRenewalInfo(octets: Uint8Array): RenewalInfoMessage {
  return readRenewalInfo(readMessage(octets, 'renewal-info', MAX_RENEWAL_INFO))
}

/** As a member of another message. */
export function renewalInfoJson(info: RenewalInfoMessage): Readonly<Record<string, unknown>> {
  const { profile, certificate, suggestedWindow, reason, order } = info
  return {
    profile,
    certificate: { serialNumber: certificate.serialNumber, notAfter: formatTime(certificate.notAfter) },
    suggestedWindow: { start: formatTime(suggestedWindow.start), end: formatTime(suggestedWindow.end) },
    reason,
    order: order && {
      newKey: order.newKey,
      keyAlgorithm: order.keyAlgorithm,
      profile: order.profile,
      until: formatTime(order.until),
    },
  }
}

/** As a member of another message. */
export function readRenewalInfo(message: JsonObject): RenewalInfoMessage {
  const certificate = message.object('certificate')
  const window = message.object('suggestedWindow')
  const suggestedWindow = { start: window.time('start'), end: window.time('end') }
  if (suggestedWindow.end < suggestedWindow.start) throw malformed('suggestedWindow', 'ends before it begins')
  return {
    profile: message.text('profile', PROFILE),
    certificate: {
      serialNumber: certificate.text('serialNumber', SERIAL_NUMBER),
      notAfter: certificate.time('notAfter'),
    },
    suggestedWindow,
    reason: message.text('reason', REASON),
    order: message.optional('order', (of, name) => {
      const order = of.object(name)
      return {
        newKey: order.boolean('newKey'),
        keyAlgorithm: order.optional('keyAlgorithm', (from, member) => from.text(member, KEY_ALGORITHM)),
        profile: order.optional('profile', (from, member) => from.text(member, PROFILE)),
        until: order.time('until'),
      }
    }),
  }
}
