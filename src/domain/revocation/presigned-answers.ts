// OCSP answers that were signed before they are asked for again: a bounded cache of those to plain requests (one certificate, no extension),
// found by the request's octets. It never says what is no longer so. A change of status in this process takes the answer away before whoever
// asked for the change hears of it. Changes by other processes are read from the log of status changes; an answer is given only while that
// was read within the last two seconds. What changed while an answer was being signed keeps it out.
import type { AuthorityId, SerialNumber, UnixSeconds } from '../ids.ts'
import type { ChangeSet, Clock, StoreReader } from '../ports.ts'
import type { OcspAnswer } from './live-ocsp.ts'
import type { OcspResponder } from './ocsp-responders.ts'

export interface PresignedAnswer extends OcspAnswer {
  /** The request's octets in base64: what a GET has in its path (RFC 6960 appendix A.1). */
  readonly request: string
  readonly thisUpdate: UnixSeconds
  readonly nextUpdate: UnixSeconds
}

/** Of which certificate. */
export interface AnsweredCertificate {
  readonly authorityId: AuthorityId
  readonly serialNumber: SerialNumber
}

/** An answer that is being made. */
export interface PresignedDraft {
  readonly request: string
  readonly certificate: string
  readonly responder: OcspResponder
}

export interface PresignedPorts {
  readonly read: Pick<StoreReader, 'auditHead' | 'statusChanges'>
  readonly clock: Clock
  /** Milliseconds of a clock that never goes back. */
  elapsed(): number
  /** Runs the work when what has arrived by now has been taken in. */
  soon(work: () => void): void
  /** Octets that answers and what finds them may take. */
  readonly maxOctets?: number
}

/** About 30,000 answers by a P-256 signer. */
export const DEFAULT_PRESIGNED_OCTETS = 64 * 1024 * 1024
/** Without a look into the log of status changes for so long, nothing that was signed before is given. */
export const CONFIRMED_MS = 2000
/** Objects and table entries of one answer beside its octets, its request and its HTTP head: measured. */
const OVERHEAD = 1024
/** Longer requests are not kept: a plain one with SHA-512 has about 200 octets. */
export const MAX_PLAIN_REQUEST = 256
/** An answer is given for this share of its life, and signed anew after another, so that caches always get a rest of it. */
const GIVEN = 0.85
/** … spread over certificates, so that what was signed together does not end together. */
const RENEWED = { from: 0.4, to: 0.7 } as const
const PAGE = 1000

interface Entry extends PresignedAnswer {
  readonly certificate: string
  readonly responder: OcspResponder
  readonly octets: number
  readonly renewAt: UnixSeconds
  readonly givenUntil: UnixSeconds
  /** Whether anybody asked since it was signed, or since room was looked for. */
  asked: boolean
  /** Whether it is being signed anew. */
  renewing: boolean
}

export class PresignedAnswers {
  readonly #ports: PresignedPorts
  readonly #maxOctets: number
  /** Oldest first. */
  readonly #entries = new Map<string, Entry>()
  /** Requests about each certificate: SHA-1 or SHA-256, with or without parameters. */
  readonly #byCertificate = new Map<string, Set<string>>()
  readonly #drafts = new Map<string, Set<PresignedDraft>>()
  #octets = 0
  #after: number | undefined
  #confirmedAt = Number.NEGATIVE_INFINITY

  constructor(ports: PresignedPorts) {
    this.#ports = ports
    this.#maxOctets = ports.maxOctets ?? DEFAULT_PRESIGNED_OCTETS
  }

  get size(): number {
    return this.#entries.size
  }

  get octets(): number {
    return this.#octets
  }

  /** Age of the oldest answer in seconds; 0 where there is none. */
  get age(): number {
    const now = this.#ports.clock.now()
    let oldest = now
    for (const { thisUpdate } of this.#entries.values()) oldest = Math.min(oldest, thisUpdate)
    return now - oldest
  }

  /** What may be answered now. */
  find(request: string): PresignedAnswer | undefined {
    const entry = this.#entries.get(request)
    if (entry === undefined) return undefined
    if (this.#ports.elapsed() - this.#confirmedAt > CONFIRMED_MS) return undefined
    if (this.#ports.clock.now() >= entry.givenUntil) return undefined
    entry.asked = true
    return entry
  }

  /** Before the status is read; `end` follows, whatever happens. */
  begin(request: string, { authorityId, serialNumber }: AnsweredCertificate, responder: OcspResponder): PresignedDraft {
    const certificate = `${authorityId}/${serialNumber}`
    const draft = { request, certificate, responder }
    const drafts = this.#drafts.get(certificate)
    if (drafts) drafts.add(draft)
    else this.#drafts.set(certificate, new Set([draft]))
    return draft
  }

  /** Keeps the answer, unless the status changed since `begin`. Answers that are refusals or about the unknown are not kept. */
  end(draft: PresignedDraft, answer: OcspAnswer | undefined): void {
    const { request, certificate, responder } = draft
    const drafts = this.#drafts.get(certificate)
    if (!drafts?.delete(draft)) return
    if (drafts.size === 0) this.#drafts.delete(certificate)
    if (!answer?.cacheable || !answer.known) {
      const entry = this.#entries.get(request)
      if (entry) entry.renewing = false
      return
    }
    const { thisUpdate, nextUpdate } = answer.cacheable
    const share = (part: number) => Math.floor(thisUpdate + (nextUpdate - thisUpdate) * part)
    this.#remove(request)
    this.#add({
      ...answer,
      request,
      thisUpdate,
      nextUpdate,
      certificate,
      responder,
      octets: answer.der.length + request.length + OVERHEAD,
      renewAt: share(RENEWED.from + (RENEWED.to - RENEWED.from) * spread(certificate)),
      givenUntil: share(GIVEN),
      asked: false,
      renewing: false,
    })
  }

  /** A change that this process committed: to be called before its maker hears of it. */
  committed({ writes }: ChangeSet): void {
    for (const write of writes) {
      if (write.kind === 'certificate.status') this.#forget(`${write.authorityId}/${write.serialNumber}`)
    }
  }

  /** Reads what other processes changed. Answers are given for two seconds after it was called; where it fails, they stop. */
  async follow(): Promise<void> {
    const { read, elapsed, soon } = this.#ports
    let begun = elapsed()
    if (this.#after === undefined) {
      this.#after = (await read.auditHead()).size - 1
      // What was signed before that, or is being signed, may have changed before that.
      this.keepOnly([])
    }
    for (;;) {
      const changes = await read.statusChanges({ after: this.#after, limit: PAGE })
      for (const { authorityId, serialNumber } of changes) this.#forget(`${authorityId}/${serialNumber}`)
      this.#after = changes.at(-1)?.auditIndex ?? this.#after
      if (changes.length < PAGE) break
      // A million changes are a thousand pages, and a store in this process answers without waiting.
      await new Promise<void>(resolve => soon(resolve))
      begun = elapsed()
    }
    this.#confirmedAt = begun
  }

  /** Forgets what these did not sign: their authority has another signer now, or the key that signed it is suspect. */
  keepOnly(responders: readonly OcspResponder[]): void {
    const wanted = new Set(responders)
    for (const entry of this.#entries.values()) if (!wanted.has(entry.responder)) this.#remove(entry.request)
    for (const [certificate, drafts] of this.#drafts) {
      for (const draft of drafts) if (!wanted.has(draft.responder)) drafts.delete(draft)
      if (drafts.size === 0) this.#drafts.delete(certificate)
    }
  }

  /** Requests whose answers somebody wanted and that are to be signed anew, each named once; forgets what has ended. */
  due(limit: number): string[] {
    const now = this.#ports.clock.now()
    const due: string[] = []
    for (const entry of this.#entries.values()) {
      if (now >= entry.givenUntil) this.#remove(entry.request)
      else if (due.length < limit && now >= entry.renewAt && entry.asked && !entry.renewing) {
        entry.renewing = true
        due.push(entry.request)
      }
    }
    return due
  }

  #forget(certificate: string): void {
    this.#drafts.delete(certificate)
    for (const request of this.#byCertificate.get(certificate) ?? []) this.#remove(request)
  }

  #add(entry: Entry): void {
    if (entry.octets > this.#maxOctets) return
    this.#makeRoom(entry.octets)
    this.#entries.set(entry.request, entry)
    this.#octets += entry.octets
    const requests = this.#byCertificate.get(entry.certificate)
    if (requests) requests.add(entry.request)
    else this.#byCertificate.set(entry.certificate, new Set([entry.request]))
  }

  /** The oldest go first; one that was asked for is spared once, and stands behind all others then. */
  #makeRoom(octets: number): void {
    for (const entry of this.#entries.values()) {
      if (this.#octets + octets <= this.#maxOctets) return
      if (entry.asked) {
        entry.asked = false
        this.#entries.delete(entry.request)
        this.#entries.set(entry.request, entry)
      } else this.#remove(entry.request)
    }
  }

  #remove(request: string): void {
    const entry = this.#entries.get(request)
    if (entry === undefined) return
    this.#entries.delete(request)
    this.#octets -= entry.octets
    const requests = this.#byCertificate.get(entry.certificate)
    requests?.delete(request)
    if (requests?.size === 0) this.#byCertificate.delete(entry.certificate)
  }
}

/** A number in [0, 1) from the end of the serial number, which is random. */
function spread(certificate: string): number {
  return (Number.parseInt(certificate.slice(-4), 16) || 0) / 0x10000
}
