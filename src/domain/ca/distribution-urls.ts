// The addresses that certificates carry (RFC 5280 §4.2.1.13, §4.2.2.1). They are fixed for the life of a certificate, so they live in one place:
// what is written here and what the outlets serve must never part.
import type { Settings } from './settings.ts'

/** The CRL of one shard of an authority. */
export function crlUrl(settings: Pick<Settings, 'publicHttpUrl'>, authority: string, crlShard: number): string {
  return `${settings.publicHttpUrl}/crl/${authority}/${crlShard}.crl`
}

/** The delta CRL of the shard whose full one is at this address: the full one names it (RFC 5280 §5.2.6). */
export function deltaUrlOf(shardUrl: string): string {
  return `${shardUrl.slice(0, -'.crl'.length)}-delta.crl`
}

/** The certificate of an authority, DER (RFC 5280 §4.2.2.1: one certificate as application/pkix-cert). */
export function caIssuersUrl(settings: Pick<Settings, 'publicHttpUrl'>, authority: string): string {
  return `${settings.publicHttpUrl}/ca/${authority}.cer`
}

/** The OCSP responder: one address for every authority, since requests name the issuer. */
export function ocspUrl(settings: Pick<Settings, 'publicHttpUrl'>): string {
  return `${settings.publicHttpUrl}/ocsp`
}

/**
 * The CRL that a certificate is on if it is revoked: a function of its serial number alone, so that anybody who holds the
 * certificate can tell. The last octets are random, so the shards fill evenly.
 */
export function crlShardOf(serialNumber: Uint8Array, crlShards: number): number {
  const { length } = serialNumber
  return (((serialNumber[length - 2] ?? 0) << 8) | (serialNumber[length - 1] ?? 0)) % crlShards
}

/** Shards that `crlShardOf` can fill. */
export const MAX_CRL_SHARDS = 4096
