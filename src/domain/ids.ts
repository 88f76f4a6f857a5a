// Identifiers that look alike and must not be mixed up. Each is minted in exactly one function.
import { toHex } from '../core/bytes/hex.ts'
import type { Random } from '../crypto/random.ts'

declare const brand: unique symbol
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** Whole seconds since 1970-01-01T00:00:00Z: the grain of X.509. */
export type UnixSeconds = number

/** A device, 32 hex digits, growing with time so that new rows land beside each other. */
export type DeviceId = Brand<string, 'DeviceId'>
/** A public key: SHA-256 over its SubjectPublicKeyInfo, 64 hex digits. The same key is the same id, wherever it appears. */
export type KeyId = Brand<string, 'KeyId'>
/** A certification authority of this instance: a short name that people choose, stable for life (`idevid-1`). */
export type AuthorityId = Brand<string, 'AuthorityId'>
/** A certificate's serial number: lower-case hex of its magnitude, no leading zero octet. Unique per issuer only. */
export type SerialNumber = Brand<string, 'SerialNumber'>
/** A batch, 32 hex digits, growing with time. */
export type BatchId = Brand<string, 'BatchId'>
/** A one-time token's public handle, 32 hex digits (never the secret). */
export type TokenId = Brand<string, 'TokenId'>
/** A campaign, 32 hex digits, growing with time. */
export type CampaignId = Brand<string, 'CampaignId'>
/** A transfer of ownership, 32 hex digits, growing with time. */
export type TransferId = Brand<string, 'TransferId'>
/** An alert, 32 hex digits, growing with time. */
export type AlertId = Brand<string, 'AlertId'>
/** A notice to a channel, 32 hex digits, growing with time. */
export type DeliveryId = Brand<string, 'DeliveryId'>
/** What makes two enrolment requests the same request: SHA-256 over CSR, profile and evidence, 64 hex digits. */
export type RequestDigest = Brand<string, 'RequestDigest'>

/** Reads an id that was minted before (a row, a command line). Throws nothing: the store answers "not found". */
export const deviceId = (text: string): DeviceId => text as DeviceId
export const authorityId = (text: string): AuthorityId => text as AuthorityId
export const batchId = (text: string): BatchId => text as BatchId
export const tokenId = (text: string): TokenId => text as TokenId
export const campaignId = (text: string): CampaignId => text as CampaignId
export const transferId = (text: string): TransferId => text as TransferId
export const alertId = (text: string): AlertId => text as AlertId
export const deliveryId = (text: string): DeliveryId => text as DeliveryId
export const requestDigest = (sha256: Uint8Array): RequestDigest => toHex(sha256) as RequestDigest
/** The digest as octets or in lower-case hexadecimal. */
export const keyId = (sha256OfSpki: Uint8Array | string): KeyId =>
  (typeof sha256OfSpki === 'string' ? sha256OfSpki : toHex(sha256OfSpki)) as KeyId
/** Hex of any case, leading zero octets allowed, colons allowed (as `openssl x509 -serial` and browsers print them). */
export const serialNumber = (text: string): SerialNumber => {
  const digits = text
    .replaceAll(':', '')
    .toLowerCase()
    .replace(/^0+(?=.)/, '')
  return (digits.length % 2 ? `0${digits}` : digits) as SerialNumber
}

/** 32 hex digits: four octets of seconds, twelve of randomness. Rows that are made together lie together. */
function timeOrdered(now: UnixSeconds, random: Random): string {
  return now.toString(16).padStart(8, '0') + toHex(random.bytes(12))
}

export const newDeviceId = (now: UnixSeconds, random: Random): DeviceId => timeOrdered(now, random) as DeviceId
export const newBatchId = (now: UnixSeconds, random: Random): BatchId => timeOrdered(now, random) as BatchId
export const newTokenId = (now: UnixSeconds, random: Random): TokenId => timeOrdered(now, random) as TokenId
export const newCampaignId = (now: UnixSeconds, random: Random): CampaignId => timeOrdered(now, random) as CampaignId
export const newAlertId = (now: UnixSeconds, random: Random): AlertId => timeOrdered(now, random) as AlertId
export const newDeliveryId = (now: UnixSeconds, random: Random): DeliveryId => timeOrdered(now, random) as DeliveryId
export const newTransferId = (now: UnixSeconds, random: Random): TransferId => timeOrdered(now, random) as TransferId

/**
 * A fresh certificate serial number (RFC 5280 §4.1.2.2): 16 octets, positive, the first four the time of issue and 96 bits of
 * randomness after them, of which those of one chunk of a batch share 16. The time part keeps the index of certificates local (see ADR 0004);
 * the random part is what nobody can predict.
 */
export function newSerialNumber(
  now: UnixSeconds,
  random: Random,
): { readonly octets: Uint8Array; readonly text: SerialNumber } {
  const octets = new Uint8Array(16)
  octets[0] = (now >>> 24) & 0x7f
  octets[1] = now >>> 16
  octets[2] = now >>> 8
  octets[3] = now
  octets.set(random.bytes(12), 4)
  const digits = toHex(octets)
  return { octets, text: octets[0] === 0 ? serialNumber(digits) : (digits as SerialNumber) }
}
