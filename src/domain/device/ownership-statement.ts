// What the owners of a device sign when it changes hands: one JSON text that says all of it, the same octets for both. The signature is a
// detached CMS SignedData (RFC 5652), so that any tool can make it; whose it is, the documents of the owners say.
import { parsePem } from '../../core/asn1/pem.ts'
import { type Bytes, equalBytes } from '../../core/bytes/bytes.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { parseSignedData } from '../../core/cms/signed-data.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { verifySignedData } from '../../crypto/cms.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Device } from './device.ts'
import type { Owner } from './owner.ts'
import type { OwnershipTransfer } from './ownership.ts'

export const OWNERSHIP_STATEMENT_TYPE = 'touchmark-ownership-transfer-v1'

/** A signature over a statement has a few kilobytes with its certificates. */
export const MAX_SIGNATURE = 65_536

/** The octets that both owners sign: one line of JSON with its newline. */
export function ownershipStatement(
  { id, from, to, effectiveAt, newKey }: OwnershipTransfer,
  { model, serialNumber }: Pick<Device, 'model' | 'serialNumber'>,
): Bytes {
  const statement = {
    type: OWNERSHIP_STATEMENT_TYPE,
    transfer: id,
    device: { model, serialNumber },
    from,
    to,
    effective: new Date(effectiveAt * 1000).toISOString().replace('.000Z', 'Z'),
    newKey,
  }
  return toUtf8(`${JSON.stringify(statement)}\n`)
}

/**
 * For which of the owners this signature over the statement counts: those that name the certificate of a signer, and the certificate is
 * within its time. `signature` is CMS in DER or PEM. Throws `ownership.signature_malformed`, `ownership.signature_invalid`,
 * `ownership.signer_unknown`.
 */
export function signersOf(
  signature: Uint8Array,
  statement: Uint8Array,
  owners: readonly Owner[],
  now: UnixSeconds,
): Owner[] {
  const known = owners.flatMap(owner => owner.certificates)
  let signers: ReturnType<typeof verifySignedData>
  try {
    const signedData = parseSignedData(derOf(signature))
    // What came along in the message vouches for nothing: only certificates that an owner named are looked at.
    signers = verifySignedData(
      { ...signedData, content: undefined, certificates: [] },
      { content: statement, certificates: known },
    )
  } catch (cause) {
    if (!(cause instanceof TouchmarkError)) throw cause
    if (cause.code === 'cms.signer_unknown') throw signerUnknown()
    const invalid = cause.code === 'cms.signature_invalid' || cause.code === 'cms.digest_mismatch'
    throw new TouchmarkError(
      invalid ? 'ownership.signature_invalid' : 'ownership.signature_malformed',
      invalid ? 'forbidden' : 'malformed',
      invalid
        ? 'The signature is not one over the statement of this transfer.'
        : `The file is no CMS signature that counts here: ${cause.message}`,
      {
        cause,
        next: 'Sign what touchmark device transfer-statement ID prints: openssl cms -sign -binary -outform DER',
      },
    )
  }
  const found = owners.filter(owner =>
    signers.some(({ certificate }) =>
      owner.certificates.some(
        own => equalBytes(own.raw, certificate.raw) && own.notBefore <= now && now <= own.notAfter,
      ),
    ),
  )
  if (found.length > 0) return found
  throw signerUnknown()
}

function signerUnknown(): TouchmarkError {
  return new TouchmarkError(
    'ownership.signer_unknown',
    'forbidden',
    'Neither owner names the certificate that signed.',
    {
      next: 'Add the certificate to its owner: touchmark owner add NAME --certificate FILE. An expired one does not count.',
    },
  )
}

function derOf(signature: Uint8Array): Uint8Array {
  if (signature[0] !== 0x2d) return signature
  const [block] = parsePem(new TextDecoder('latin1').decode(signature))
  return block?.label === 'CMS' || block?.label === 'PKCS7' ? block.der : signature
}
