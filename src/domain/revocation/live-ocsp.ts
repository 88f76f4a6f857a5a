// OCSP answers that are signed when they are asked for (RFC 6960 §4.2), a batch at a time: what waits together shares one look into the store
// for each authority and one call to its signer. The queue is bounded: who comes to a full one is told to try later at once, so that a flood of
// nonces costs others no more than a batch.
import type { Bytes } from '../../core/bytes/bytes.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { extension } from '../../core/pki/extensions.ts'
import {
  type CertStatus,
  encodeOcspError,
  encodeOcspResponse,
  encodeTbsResponseData,
  type OcspError,
} from '../../core/pki/ocsp.ts'
import { encodeArchiveCutoff, encodeNonce, OCSP_OID } from '../../core/pki/ocsp-extensions.ts'
import type { SignatureAlgorithmName } from '../../crypto/algorithms.ts'
import type { Signer } from '../../crypto/signer.ts'
import { verifyOwnSignature } from '../ca/sign.ts'
import type { SerialNumber, UnixSeconds } from '../ids.ts'
import type { CertificateStanding, Clock, StoreReader } from '../ports.ts'
import type { AskedCertificate, OcspQuestion } from './ocsp-question.ts'
import type { OcspResponder } from './ocsp-responders.ts'

export interface OcspAnswer {
  readonly der: Bytes
  readonly outcome: 'successful' | OcspError
  /** How long a cache may keep it: `undefined` for errors and for answers that carry a nonce (RFC 5019 §6.2). */
  readonly cacheable: { readonly thisUpdate: UnixSeconds; readonly nextUpdate: UnixSeconds } | undefined
  /** Whether every certificate that it tells of was issued here. */
  readonly known: boolean
}

/** How long an answer may be relied on. A revocation reaches those who ask again at once, and caches within this time. */
export const OCSP_VALIDITY_SECONDS = 3600
/** The same where a certificate is unknown: it may be issued the next second. */
export const OCSP_UNKNOWN_SECONDS = 60

/**
 * Questions that share one call to a signer: 64 P-256 signatures take two milliseconds or three, and so long others wait. As many are what a
 * software signer hands to threads: under load this thread reads the next questions meanwhile.
 */
const BATCH = 64
/** Certificates that they ask about together, but for a question that has more of its own. */
const BATCH_CERTIFICATES = 128
/** Questions that wait or are being signed, each of 64 KiB at most. */
export const MAX_WAITING_QUESTIONS = 1024

export interface LiveOcspPorts {
  readonly read: Pick<StoreReader, 'certificateStandings'>
  readonly clock: Clock
  /** Runs the work when what has arrived by now has been taken in. */
  soon(work: () => void): void
  /** Told where a signer or the store failed, and the client is asked to try later. It must not throw. */
  onFailure?(question: OcspQuestion, thrown: unknown): void
}

interface Waiting {
  readonly question: OcspQuestion
  resolve(answer: OcspAnswer): void
  reject(thrown: unknown): void
}

export class LiveOcsp {
  readonly #ports: LiveOcspPorts
  readonly #queue: Waiting[] = []
  #waiting = 0
  #called = false

  constructor(ports: LiveOcspPorts) {
    this.#ports = ports
  }

  /** Questions that wait or are being signed. */
  get waiting(): number {
    return this.#waiting
  }

  /** `tryLater` where the queue is full, the signer is lost or the store is away (RFC 6960 §2.3). */
  answer(question: OcspQuestion): Promise<OcspAnswer> {
    if (this.#waiting >= MAX_WAITING_QUESTIONS) return Promise.resolve(refusal('tryLater'))
    this.#waiting++
    return new Promise((resolve, reject) => {
      this.#queue.push({ question, resolve, reject })
      this.#call()
    })
  }

  #call(): void {
    if (this.#called) return
    this.#called = true
    this.#ports.soon(() => {
      this.#called = false
      const batch = this.#take()
      if (this.#queue.length > 0) this.#call()
      for (const group of Map.groupBy(batch, ({ question }) => question.responder).values()) void this.#work(group)
    })
  }

  #take(): readonly Waiting[] {
    let certificates = 0
    let count = 0
    while (count < Math.min(BATCH, this.#queue.length)) {
      certificates += this.#queue[count]!.question.certificates.length
      if (count > 0 && certificates > BATCH_CERTIFICATES) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #work(group: readonly Waiting[]): Promise<void> {
    const { responder } = group[0]!.question
    try {
      const asked = group.flatMap(({ question }) => question.certificates.map(each => each.serialNumber))
      const standings = await this.#ports.read.certificateStandings(responder.authorityId, asked)
      const byAlgorithm = Map.groupBy(group, ({ question }) => question.algorithm)
      await Promise.all(
        Array.from(byAlgorithm, ([algorithm, some]) => this.#sign(some, responder, algorithm, standings)),
      )
    } catch (thrown) {
      for (const each of group) this.#fail(each, thrown)
    }
    this.#waiting -= group.length
  }

  async #sign(
    group: readonly Waiting[],
    responder: OcspResponder,
    algorithm: SignatureAlgorithmName,
    standings: Standings,
  ): Promise<void> {
    try {
      const signer = await responder.signWith(algorithm)
      const now = this.#ports.clock.now()
      const drafts = group.map(({ question }) => draft(question, standings, now))
      const signatures = await signAll(
        signer,
        drafts.map(({ tbs }) => tbs),
        signer === responder.signer,
      )
      for (const [i, { resolve, question }] of group.entries())
        resolve(finish(drafts[i]!, question, signer, signatures[i]!))
    } catch (thrown) {
      for (const each of group) this.#fail(each, thrown)
    }
  }

  /** Whoever waits for an answer that is there already does not hear of it. */
  #fail({ question, resolve, reject }: Waiting, thrown: unknown): void {
    if (isForLater(thrown)) {
      this.#ports.onFailure?.(question, thrown)
      resolve(refusal('tryLater'))
    } else reject(thrown)
  }
}

type Standings = ReadonlyMap<SerialNumber, CertificateStanding>

interface Draft {
  readonly tbs: Bytes
  readonly thisUpdate: UnixSeconds
  readonly nextUpdate: UnixSeconds
  readonly known: boolean
}

function draft({ responder, certificates, nonce }: OcspQuestion, standings: Standings, now: UnixSeconds): Draft {
  if (now > responder.certificate.notAfter) throw signerEnded(responder)
  const known = certificates.every(({ serialNumber }) => standings.has(serialNumber))
  const lasts = known ? OCSP_VALIDITY_SECONDS : OCSP_UNKNOWN_SECONDS
  const nextUpdate = Math.min(now + lasts, responder.certificate.notAfter)
  const single = ({ certId, serialNumber }: AskedCertificate) => {
    const standing = standings.get(serialNumber)
    const expired = standing !== undefined && standing.notAfter < now
    return {
      certId,
      status: certStatus(standing),
      thisUpdate: now,
      nextUpdate,
      // §4.4.4: nothing that the authority issued is ever forgotten.
      ...(expired ? { extensions: [archiveCutoff(responder)] } : {}),
    }
  }
  const tbs = encodeTbsResponseData({
    responderId: { kind: 'byKey', keyHash: responder.keyHash },
    producedAt: now,
    responses: certificates.map(single),
    extensions: nonce ? [extension(OCSP_OID.nonce, false, encodeNonce(nonce))] : [],
  })
  return { tbs, thisUpdate: now, nextUpdate, known }
}

/** A serial number that this authority never issued is `unknown`, never `good` and never `revoked` (RFC 6960 §2.2). */
function certStatus(standing: CertificateStanding | undefined): CertStatus {
  if (!standing) return { kind: 'unknown' }
  const { status } = standing
  switch (status.kind) {
    case 'good':
      return { kind: 'good' }
    case 'held':
      return { kind: 'revoked', revocationTime: status.at, reason: 'certificateHold' }
    case 'revoked':
      return { kind: 'revoked', revocationTime: status.at, reason: status.reason }
    default:
      return status satisfies never
  }
}

const cutoffs = new WeakMap<OcspResponder, ReturnType<typeof extension>>()

function archiveCutoff(responder: OcspResponder): ReturnType<typeof extension> {
  let cutoff = cutoffs.get(responder)
  if (cutoff === undefined) {
    cutoff = extension(OCSP_OID.archiveCutoff, false, encodeArchiveCutoff(responder.authority.notBefore))
    cutoffs.set(responder, cutoff)
  }
  return cutoff
}

/** In bulk only by default: what strangers may prefer starts no threads. */
async function signAll(signer: Signer, tbs: readonly Bytes[], inBulk: boolean): Promise<readonly Bytes[]> {
  const signatures =
    inBulk && signer.signMany ? await signer.signMany(tbs) : await Promise.all(tbs.map(each => signer.sign(each)))
  if (signatures.length === tbs.length) return signatures
  throw new TouchmarkError('signer.failed', 'unavailable', 'The key did not sign everything that it was given.', {
    evidence: { keyUri: signer.keyUri },
  })
}

function finish(
  { tbs, thisUpdate, nextUpdate, known }: Draft,
  { responder, nonce }: OcspQuestion,
  signer: Signer,
  signature: Bytes,
): OcspAnswer {
  verifyOwnSignature(signer, tbs, signature)
  const der = encodeOcspResponse({
    tbs,
    signatureAlgorithm: signer.algorithm.algorithmIdentifier,
    signature,
    certificates: [responder.certificate.raw],
  })
  return { der, outcome: 'successful', cacheable: nonce ? undefined : { thisUpdate, nextUpdate }, known }
}

/** An answer that is an error: unsigned, and for no cache. */
export function refusal(outcome: OcspError): OcspAnswer {
  return { der: encodeOcspError(outcome), cacheable: undefined, outcome, known: false }
}

/** What another signer, another process or a little time mends; anything else is a fault of ours and is told as one. */
function isForLater(thrown: unknown): boolean {
  if (!(thrown instanceof TouchmarkError)) return false
  return thrown.kind === 'unavailable' || /^(signer|key)\./.test(thrown.code)
}

function signerEnded({ authorityId, certificate }: OcspResponder): TouchmarkError {
  return new TouchmarkError('ocsp.signer_ended', 'unavailable', `The OCSP signer of ${authorityId} has expired.`, {
    next: 'Let the authority certify a new one: its key must be here, and the server must run.',
    evidence: { authorityId, notAfter: certificate.notAfter },
  })
}
