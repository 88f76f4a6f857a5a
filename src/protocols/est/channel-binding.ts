// Linking identity and proof of possession (RFC 7030 §3.5): the client puts the channel binding of its TLS connection into
// challengePassword, signs the request, and so shows that the key's owner is at the other end of this very connection.
// TLS 1.2: tls-unique (RFC 5929). TLS 1.3 has none; there it is tls-exporter (RFC 9266).
import { toBase64 } from '../../core/bytes/base64.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { equalSecrets } from '../../crypto/constant-time.ts'
import type { Refusal } from '../../domain/ra/refusal.ts'
import type { Peer } from '../http.ts'

export type ChannelBinding = 'absent' | 'matched' | 'mismatched'

/** RFC 7030 §3.5 has the base64 of the binding in the attribute. */
export function checkChannelBinding(challengePassword: string | undefined, peer: Peer): ChannelBinding {
  if (challengePassword === undefined) return 'absent'
  const given = toUtf8(challengePassword)
  const bindings = [peer.tlsUnique, peer.tlsExporter].filter(binding => binding !== null)
  return bindings.some(binding => equalSecrets(given, toUtf8(toBase64(binding)))) ? 'matched' : 'mismatched'
}

export const CHANNEL_BINDING_MISMATCH: Refusal = {
  code: 'est.channel_binding_mismatch',
  kind: 'forbidden',
  message: 'The challengePassword of the request is not the channel binding of this TLS connection (RFC 7030 §3.5).',
  next: 'Leave the attribute out, or put the base64 of tls-unique (TLS 1.2) or tls-exporter (TLS 1.3) into it.',
}
