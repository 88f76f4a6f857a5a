// The CSRs of a batch, parsed and verified a chunk at a time: on threads where there are many, while the chunk before is decided.
import { asTouchmarkError, type TouchmarkError } from '../../core/errors.ts'
import { type CertificationRequest, parseCertificationRequest } from '../../core/pki/csr.ts'
import { checkSelfSignature } from '../../crypto/verify.ts'
import { createVerifyingPool, type SelfSigned, type VerifyingPool } from '../../crypto/verifying-pool.ts'
import { isBadUnit, type UnitInput } from './unit.ts'

export interface ReadRequest {
  readonly csr: CertificationRequest
  /** Whether its signature verifies with its own key (RFC 2986 §4.2). */
  readonly possession: boolean
}

/** For each unit of a chunk its request, or what is wrong with its octets; `undefined` where it has none. */
export type ReadRequests = readonly (ReadRequest | TouchmarkError | undefined)[]

/** A chunk with its requests under way. They are awaited when the chunk's turn comes. */
export interface ReadChunk {
  readonly inputs: readonly UnitInput[]
  readonly requests: Promise<ReadRequests>
}

/** Fewer are verified where they are: starting threads for them would take as long. */
const BULK = 256

export class RequestReader implements AsyncDisposable {
  #pool: VerifyingPool | undefined

  /** The chunks in their order, each begun while the one before is with the caller. */
  async *ahead(chunks: AsyncIterable<readonly UnitInput[]>): AsyncGenerator<ReadChunk, void, undefined> {
    let before: ReadChunk | undefined
    for await (const inputs of chunks) {
      const requests = this.#read(inputs)
      // Whoever awaits it is told; until then nobody may be there.
      requests.catch(() => undefined)
      if (before !== undefined) yield before
      before = { inputs, requests }
    }
    if (before !== undefined) yield before
  }

  async #read(inputs: readonly UnitInput[]): Promise<ReadRequests> {
    const parsed = inputs.map(parseRequest)
    const signed = parsed.flatMap(each => (isRequest(each) ? [selfSigned(each)] : []))
    const verdicts = signed.length < BULK ? signed.map(verifyHere) : await this.#verifyOnThreads(signed)
    let next = 0
    return parsed.map(each => (isRequest(each) ? { csr: each, possession: verdicts[next++]! } : each))
  }

  #verifyOnThreads(signed: readonly SelfSigned[]): Promise<boolean[]> {
    this.#pool ??= createVerifyingPool()
    return this.#pool.verifyMany(signed)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]()
  }
}

function parseRequest(input: UnitInput): CertificationRequest | TouchmarkError | undefined {
  if (isBadUnit(input) || input.key.kind !== 'csr') return undefined
  try {
    return parseCertificationRequest(input.key.der)
  } catch (thrown) {
    return asTouchmarkError(thrown)
  }
}

function isRequest(parsed: CertificationRequest | TouchmarkError | undefined): parsed is CertificationRequest {
  return parsed !== undefined && !(parsed instanceof Error)
}

function selfSigned({ subjectPublicKeyInfo, signatureAlgorithm, tbs, signature }: CertificationRequest): SelfSigned {
  return { spki: subjectPublicKeyInfo.raw, algorithm: signatureAlgorithm, tbs, signature }
}

function verifyHere({ spki, algorithm, tbs, signature }: SelfSigned): boolean {
  return checkSelfSignature(spki, algorithm, tbs, signature) === 'valid'
}
