// From a prepared certificate to a signed one (RFC 5280 §4.1.1). There is no other way to a certificate: nothing here takes octets,
// and what it takes was linted. When a signature is checked again: docs/adr/0005-checking-our-own-signatures.md.
import { type Bytes, copyBytes } from '../../core/bytes/bytes.ts'
import { type Allocate, allocateTogether } from '../../core/bytes/slab.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { encodeSigned } from '../../core/pki/signed.ts'
import { equalSecrets } from '../../crypto/constant-time.ts'
import { assertOwnSignature, type Signer } from '../../crypto/signer.ts'
import type { CertificateFacts } from './issuance-request.ts'
import { type PreparedCertificate, type RedeemedTbs, redeem, redeemMany } from './prepare.ts'

/** Known to this file only. */
const MINT = Symbol('SignedCertificate')

let mint: (facts: CertificateFacts, der: Bytes) => SignedCertificate
let isMinted: (value: object) => boolean

/** A certificate that was prepared, linted and signed here, with what the registry has to know about it. */
export class SignedCertificate {
  readonly facts: CertificateFacts
  readonly der: Bytes
  /** Keeps look-alikes out of functions that take a `SignedCertificate`, at compile time and at run time. */
  readonly #signed = true

  private constructor(key: symbol, facts: CertificateFacts, der: Bytes) {
    if (key !== MINT) {
      throw new TouchmarkError('issuance.not_signed', 'internal', 'Only signing makes a signed certificate.')
    }
    this.facts = facts
    this.der = der
    Object.freeze(this)
  }

  static {
    mint = (facts, der) => new SignedCertificate(MINT, facts, der)
    isMinted = value => #signed in value && value.#signed
  }
}

/** Throws `issuance.not_signed` for what only looks like a signed certificate. */
export function assertSigned(value: SignedCertificate): void {
  if (!isMinted(value))
    throw new TouchmarkError('issuance.not_signed', 'internal', 'The certificate was not signed here.')
}

/**
 * Signs what was prepared, once. Where the signer does not answer for its signatures, and for every CA certificate, the signature is
 * verified before anything is returned. Whatever fails, the prepared certificate is spent: prepare again, with a new serial number.
 *
 * Errors: `issuance.already_redeemed`, `issuance.wrong_signer`, and what the signer throws (`signer.failed`, `signer.signature_wrong`).
 */
export async function signPrepared(
  prepared: PreparedCertificate,
  signer: Signer,
  signal?: AbortSignal,
): Promise<SignedCertificate> {
  const redeemed = redeem(prepared, signer)
  // The signer gets a copy: a worker may take the buffer with it, and a faulty one may write into it.
  const handed = copyBytes(redeemed.tbs)
  return finish(redeemed, signer, handed, await signer.sign(handed, signal))
}

/**
 * As `signPrepared` for many at once, in order. One that was spent before, stands twice or belongs to another authority stops all of them
 * while they are whole; after that a failing signer spends them all.
 */
export async function signMany(
  prepared: readonly PreparedCertificate[],
  signer: Signer,
  signal?: AbortSignal,
): Promise<SignedCertificate[]> {
  if (signer.signMany === undefined) return Promise.all(prepared.map(each => signPrepared(each, signer, signal)))
  signal?.throwIfAborted()
  const redeemed = redeemMany(prepared, signer)
  const handed = copyAll(redeemed)
  const signatures = await signer.signMany(handed)
  if (signatures.length !== redeemed.length) {
    throw new TouchmarkError('signer.failed', 'unavailable', 'The key did not sign everything that it was given.', {
      evidence: { keyUri: signer.keyUri },
    })
  }
  const allocate = allocateTogether()
  return redeemed.map((each, i) => finish(each, signer, handed[i]!, signatures[i]!, allocate))
}

/** For what is signed outside certificates (CRLs, OCSP): verifies unless the signer answers for itself. Throws `signer.signature_wrong`. */
export function verifyOwnSignature(signer: Signer, tbs: Uint8Array, signature: Uint8Array): void {
  if (!signer.selfChecked) assertOwnSignature(signer, tbs, signature)
}

/** As `copyBytes` for each, with one buffer for all. */
function copyAll(redeemed: readonly RedeemedTbs[]): Bytes[] {
  const buffer = new Uint8Array(redeemed.reduce((sum, { tbs }) => sum + tbs.length, 0))
  let at = 0
  return redeemed.map(({ tbs }) => {
    buffer.set(tbs, at)
    at += tbs.length
    return buffer.subarray(at - tbs.length, at)
  })
}

function finish(
  { tbs, algorithm, facts }: RedeemedTbs,
  signer: Signer,
  handed: Bytes,
  signature: Bytes,
  allocate?: Allocate,
): SignedCertificate {
  // A signer that checks itself checked what it was handed: that must still be what was linted. A transferred buffer is empty now.
  // Compared by OpenSSL and not octet by octet: it is done for every certificate.
  const intact = handed.length === tbs.length && equalSecrets(handed, tbs)
  if (!intact || !signer.selfChecked || facts.isAuthority) assertOwnSignature(signer, tbs, signature)
  return mint(facts, encodeSigned(tbs, algorithm.algorithmIdentifier, signature, allocate))
}
