import { toBase64 } from '../../../src/core/bytes/base64.ts'

/** PEM as it is; DER as PEM of a certificate, which is the form that the API takes. */
export async function readPkiFile(file: Blob): Promise<string> {
  const octets = new Uint8Array(await file.arrayBuffer())
  const text = new TextDecoder('utf-8').decode(octets)
  if (text.includes('-----BEGIN ')) return text
  const lines = toBase64(octets).match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
