// The certification request of a device (RFC 2986). A first one names the device; a renewal repeats the names of the certificate that it
// renews (RFC 7030 §4.2.2), or none where it renews into another profile, whose names the server knows.
import type { Bytes } from '../core/bytes/bytes.ts'
import type { Certificate } from '../core/pki/certificate.ts'
import { encodeCertificationRequestInfo, extensionRequestAttribute } from '../core/pki/csr.ts'
import { findExtension } from '../core/pki/extension.ts'
import { ATTRIBUTE, encodeName } from '../core/pki/name.ts'
import { OID } from '../core/pki/oids.ts'
import { encodeSigned } from '../core/pki/signed.ts'
import { assertOwnSignature, type Signer } from '../crypto/signer.ts'

export type RequestedNames =
  | { readonly kind: 'device'; readonly serialNumber: string }
  | { readonly kind: 'as'; readonly certificate: Certificate }
  | { readonly kind: 'none' }

/** DER. Rejects with what the signer rejects with. */
export async function makeCertificationRequest(signer: Signer, names: RequestedNames): Promise<Bytes> {
  const info = encodeCertificationRequestInfo({
    subject: subjectOf(names),
    subjectPublicKeyInfo: signer.publicKey,
    attributes: attributesOf(names),
  })
  const signature = await signer.sign(info)
  // The server asks for a proof of possession; a token or a processor that errs is found here.
  assertOwnSignature(signer, info, signature)
  return encodeSigned(info, signer.algorithm.algorithmIdentifier, signature)
}

function subjectOf(names: RequestedNames): Uint8Array {
  switch (names.kind) {
    case 'device':
      return encodeName([[{ type: ATTRIBUTE.serialNumber, value: names.serialNumber }]])
    case 'as':
      return names.certificate.subject.raw
    case 'none':
      return encodeName([])
    default:
      return names satisfies never
  }
}

function attributesOf(names: RequestedNames) {
  const alternative = names.kind === 'as' ? findExtension(names.certificate.extensions, OID.subjectAltName) : undefined
  return alternative ? [extensionRequestAttribute([alternative])] : []
}
