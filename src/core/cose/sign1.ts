// COSE_Sign1 (RFC 9052 §4.2) in the one shape that is used here: tagged, attached payload, protected header {alg, content type}, unprotected
// header {x5chain} with the signer's certificate (RFC 9360 §2), every length in its shortest form. Anything else is refused.
import { type Bytes, concat, equalBytes } from '../bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../bytes/utf8.ts'
import { TouchmarkError } from '../errors.ts'

export interface CoseSign1 {
  /** The algorithm's number in IANA's registry "COSE Algorithms": -7 is ES256. */
  readonly algorithm: number
  readonly contentType: string
  /** The signer's certificate in DER: not protected by the signature, which is checked with it. */
  readonly signer: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  /** Everything before the payload's length: tag, array, headers. */
  readonly head: Uint8Array
  /** What the signature covers (Sig_structure, RFC 9052 §4.4). */
  readonly toBeSigned: Bytes
}

/** The octets before the payload. `algorithm`: see `CoseSign1`. */
export function encodeSign1Head(algorithm: number, contentType: string, signer: Uint8Array): Bytes {
  const header = concat(Uint8Array.of(0xa2, 0x01), integer(algorithm), Uint8Array.of(0x03), text(contentType))
  return concat(Uint8Array.of(0xd2, 0x84), byteString(header), Uint8Array.of(0xa1, 0x18, 0x21), byteString(signer))
}

/** Sig_structure of a head that `encodeSign1Head` made, and a payload. */
export function signatureStructure(head: Uint8Array, payload: Uint8Array): Bytes {
  const reader = new Reader(head)
  reader.expect(0xd2, 0x84)
  return structureOf(reader.string(MAJOR.bytes), payload)
}

export function encodeSign1(head: Uint8Array, payload: Uint8Array, signature: Uint8Array): Bytes {
  return concat(head, lengthHead(MAJOR.bytes, payload.length), payload, byteString(signature))
}

/** Errors: `cose.malformed`. The parts are views into `octets`. */
export function parseSign1(octets: Uint8Array): CoseSign1 {
  const reader = new Reader(octets)
  reader.expect(0xd2, 0x84)
  const protectedHeader = reader.string(MAJOR.bytes)
  const header = new Reader(protectedHeader)
  header.expect(0xa2, 0x01)
  const algorithm = header.integer()
  header.expect(0x03)
  const contentType = fromUtf8(header.string(MAJOR.text))
  header.end()
  reader.expect(0xa1, 0x18, 0x21)
  const signer = reader.string(MAJOR.bytes)
  const head = octets.subarray(0, reader.at)
  const payload = reader.string(MAJOR.bytes)
  const signature = reader.string(MAJOR.bytes)
  reader.end()
  return {
    algorithm,
    contentType,
    signer,
    payload,
    signature,
    head,
    toBeSigned: structureOf(protectedHeader, payload),
  }
}

const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3 } as const
const SIGNATURE1 = toUtf8('Signature1')

function structureOf(protectedHeader: Uint8Array, payload: Uint8Array): Bytes {
  return concat(
    Uint8Array.of(0x84, 0x60 | SIGNATURE1.length),
    SIGNATURE1,
    byteString(protectedHeader),
    Uint8Array.of(0x40),
    byteString(payload),
  )
}

function byteString(octets: Uint8Array): Bytes {
  return concat(lengthHead(MAJOR.bytes, octets.length), octets)
}

function text(value: string): Bytes {
  const octets = toUtf8(value)
  return concat(lengthHead(MAJOR.text, octets.length), octets)
}

function integer(value: number): Bytes {
  return value < 0 ? lengthHead(MAJOR.negative, -1 - value) : lengthHead(MAJOR.unsigned, value)
}

/** The head of a data item (RFC 8949 §3) in its shortest form. */
function lengthHead(major: number, value: number): Bytes {
  const first = major << 5
  if (value < 24) return Uint8Array.of(first | value)
  if (value < 0x100) return Uint8Array.of(first | 24, value)
  if (value < 0x10000) return Uint8Array.of(first | 25, value >>> 8, value)
  return Uint8Array.of(first | 26, value >>> 24, value >>> 16, value >>> 8, value)
}

class Reader {
  readonly #octets: Uint8Array
  at = 0

  constructor(octets: Uint8Array) {
    this.#octets = octets
  }

  expect(...expected: readonly number[]): void {
    if (!equalBytes(this.#octets.subarray(this.at, this.at + expected.length), Uint8Array.from(expected))) {
      throw malformed('It is not the COSE_Sign1 that is expected here.', this.at)
    }
    this.at += expected.length
  }

  string(major: number): Uint8Array {
    const length = this.#head(major)
    if (length > this.#octets.length - this.at) throw malformed('It ends too early.', this.at)
    this.at += length
    return this.#octets.subarray(this.at - length, this.at)
  }

  integer(): number {
    const negative = (this.#octets[this.at] ?? 0) >>> 5 === MAJOR.negative
    const value = this.#head(negative ? MAJOR.negative : MAJOR.unsigned)
    return negative ? -1 - value : value
  }

  end(): void {
    if (this.at !== this.#octets.length) throw malformed('Octets stand behind its end.', this.at)
  }

  #head(major: number): number {
    const first = this.#octets[this.at]
    if (first === undefined || first >>> 5 !== major) throw malformed('It has another type than expected.', this.at)
    const form = first & 31
    this.at++
    if (form < 24) return form
    const octets = 1 << (form - 24)
    if (octets > 4 || this.at + octets > this.#octets.length) throw malformed('A length cannot be read.', this.at)
    let value = 0
    for (let i = 0; i < octets; i++) value = value * 256 + this.#octets[this.at++]!
    if (value < (octets === 1 ? 24 : 2 ** (4 * octets)))
      throw malformed('A length is not in its shortest form.', this.at)
    return value
  }
}

function malformed(message: string, offset = 0): TouchmarkError {
  return new TouchmarkError('cose.malformed', 'malformed', message, { evidence: { offset } })
}
