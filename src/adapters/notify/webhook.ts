// Notices as JSON to an address of the operator's, signed: `Touchmark-Signature: t=<seconds>,v1=<hex>`, where v1 is HMAC-SHA256 over
// `<seconds>.<body>` with the shared secret. The time is signed too, so that a receiver can refuse what is old; the id is the same for each try.
import { toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { hmacSha256 } from '../../crypto/digest.ts'
import type { AlertChannel } from '../../domain/alerts/alert-rules.ts'
import type { Notice } from '../../domain/alerts/notice.ts'
import type { DeliveryId, UnixSeconds } from '../../domain/ids.ts'
import type { Post } from './http-post.ts'

export function webhookPost(
  { url }: Extract<AlertChannel, { kind: 'webhook' }>,
  secret: string,
  notice: Notice,
  id: DeliveryId,
  now: UnixSeconds,
): Post {
  const body = JSON.stringify(notice)
  return {
    url,
    headers: {
      'content-type': 'application/json',
      'user-agent': 'touchmark',
      'touchmark-notice': id,
      'touchmark-signature': webhookSignature(secret, body, now),
    },
    body,
  }
}

/** `t=1900000000,v1=…`. */
export function webhookSignature(secret: string, body: string, now: UnixSeconds): string {
  return `t=${now},v1=${toHex(hmacSha256(toUtf8(secret), toUtf8(`${now}.${body}`)))}`
}
