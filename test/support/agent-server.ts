// A server for agents in the memory of the test: EST and the REST for devices as far as an agent sees them, behind the transport port. It
// remembers what it did, may be away, and may lie about anything.
import { createHash } from 'node:crypto'
import type { DeviceAgentOptions } from '../../src/agent/device-agent.ts'
import type { Transport, TransportAnswer, TransportRequest } from '../../src/agent/transport.ts'
import { parsePem, parsePemBlock, toPem } from '../../src/core/asn1/pem.ts'
import { fromBase64Lines, toBase64Lines } from '../../src/core/bytes/base64.ts'
import { type Bytes, EMPTY } from '../../src/core/bytes/bytes.ts'
import { fromUtf8, toUtf8 } from '../../src/core/bytes/utf8.ts'
import { encodeCertsOnly } from '../../src/core/cms/certs-only.ts'
import { TouchmarkError } from '../../src/core/errors.ts'
import { encodeHealthAnswer, type HealthReport, parseHealthReport } from '../../src/core/messages/device-health.ts'
import { encodeRenewalInfo, type RenewalInfoMessage } from '../../src/core/messages/renewal-info.ts'
import { TRUST_BUNDLE_SIGNING } from '../../src/core/messages/trust-bundle.ts'
import {
  encodeWipeAnswer,
  parseSignedWipeStatement,
  parseWipeStatement,
} from '../../src/core/messages/wipe-statement.ts'
import { parseCertificate } from '../../src/core/pki/certificate.ts'
import { type CertificationRequest, parseCertificationRequest } from '../../src/core/pki/csr.ts'
import { encodeExtendedKeyUsage, extension } from '../../src/core/pki/extensions.ts'
import { OID } from '../../src/core/pki/oids.ts'
import { privateKeyOf } from '../../src/crypto/keys.ts'
import { softwareSigner } from '../../src/crypto/signer.ts'
import { signTrustBundle } from '../../src/crypto/trust-bundle.ts'
import { verifySignature } from '../../src/crypto/verify.ts'
import { type Key, type Made, makeCertificate } from './certificates.ts'

export const DAY = 86_400
/** 2030-01-01T00:00:00Z. */
export const NOW = 1_893_456_000

export interface Hierarchy {
  readonly root: Made
  readonly issuing: Made
}

export function hierarchy(name: string): Hierarchy {
  const years = { notBefore: NOW - 3650 * DAY, notAfter: NOW + 7300 * DAY }
  const root = makeCertificate({ subject: `CN=${name} Root`, ca: true, ...years })
  return { root, issuing: makeCertificate({ subject: `CN=${name} Issuing`, ca: 0, issuer: root, ...years }) }
}

export const rootPem = (made: Made) => toPem('CERTIFICATE', made.certificate.raw)

export interface Issued {
  readonly serialNumber: string
  readonly profile: string
  readonly csr: string
  readonly der: Bytes
  readonly publicKey: Bytes
  readonly notAfter: number
}

/** What may be asked of a certificate that the server makes. */
export interface IssueOptions {
  readonly subject?: string
  readonly publicKey?: Bytes
  readonly issuer?: Made
  readonly notBefore?: number
  readonly notAfter?: number
}

export class AgentServer implements Transport {
  now = NOW
  readonly pki: Hierarchy
  readonly issued: Issued[] = []
  readonly reports: HealthReport[] = []
  readonly asked: string[] = []
  readonly wiped: string[] = []
  /** Tokens by the request that spent them. */
  readonly tokens = new Map<string, string | undefined>()
  /** Certificates that devices came with: serial number by PEM of the leaf. */
  readonly births = new Set<string>()
  order: 'suspend' | 'wipe' | null = null
  state: 'active' | 'suspended' | 'retired' = 'active'
  lifeSeconds = 90 * DAY
  window: RenewalInfoMessage['suggestedWindow'] | undefined
  renewalOrder: RenewalInfoMessage['order'] = null
  trustVersion = 0
  trustBundle: Bytes = EMPTY
  /** How the next certificates differ from what was asked for. */
  issueAs: IssueOptions = {}
  /** Changes an answer on its way; may throw, or never answer. */
  onAnswer: (
    operation: string,
    answer: TransportAnswer,
    request: TransportRequest,
  ) => TransportAnswer | Promise<TransportAnswer> = (_, answer) => answer
  /** Stops a request on its way, or answers it before anything is done. */
  onRequest: (operation: string, request: TransportRequest) => TransportAnswer | undefined = () => undefined

  constructor(pki: Hierarchy = hierarchy('Test')) {
    this.pki = pki
  }

  get roots(): string {
    return rootPem(this.pki.root)
  }

  /** The last certificate that it issued. */
  get last(): Issued {
    const last = this.issued.at(-1)
    if (!last) throw new Error('Nothing was issued.')
    return last
  }

  /** Options of an agent whose clock is the server's. */
  options(): Pick<DeviceAgentOptions, 'transport' | 'now'> {
    return { transport: this, now: () => this.now }
  }

  async exchange(request: TransportRequest): Promise<TransportAnswer> {
    const { pathname } = new URL(request.url)
    const operation = pathname.split('/').at(-1)!
    const instead = this.onRequest(operation, request)
    this.asked.push(operation)
    if (instead) return instead
    return this.onAnswer(operation, await this.#answer(operation, pathname, request), request)
  }

  async #answer(operation: string, pathname: string, request: TransportRequest): Promise<TransportAnswer> {
    const shown = request.identity ? this.#shown(request.identity.certificates) : undefined
    switch (operation) {
      case 'cacerts':
        return this.certificates([this.pki.issuing.certificate.raw, this.pki.root.certificate.raw])
      case 'simpleenroll':
      case 'simplereenroll': {
        const label = /est\/([^/]+)\//.exec(pathname)?.[1] ?? 'ldevid'
        const csr = parseCertificationRequest(fromBase64Lines(fromUtf8(request.body!)))
        if (!verifySignature(csr.subjectPublicKeyInfo.raw, csr.signatureAlgorithm, csr.tbs, csr.signature)) {
          return this.refuse(400, 'csr.signature_invalid')
        }
        const refused = this.#maySend(operation, request, digestOf(csr), shown)
        return refused ?? this.certificates([this.#issue(csr, label).der])
      }
      case 'health': {
        if (!shown) return this.refuse(403, 'evidence.missing')
        const report = parseHealthReport(request.body!)
        if (report.sequence <= (this.reports.at(-1)?.sequence ?? 0)) return this.refuse(409, 'device.sequence_repeated')
        this.reports.push(report)
        return this.json(
          encodeHealthAnswer({
            time: this.now,
            device: { state: this.state },
            order: this.order,
            renewal: this.#renewal(shown),
            trustBundle: { version: this.trustVersion },
          }),
        )
      }
      case 'renewal-info': {
        const renewal = shown && this.#renewal(shown)
        return renewal ? this.json(encodeRenewalInfo(renewal)) : this.refuse(404, 'renewal.no_credential')
      }
      case 'trust-bundle':
        return this.answer(200, 'application/pkcs7-mime; smime-type=signed-data', this.trustBundle)
      case 'wipe-statement': {
        const signed = parseSignedWipeStatement(request.body!)
        const { keys } = parseWipeStatement(signed.statement)
        const known = new Set(this.issued.map(({ publicKey }) => keyIdOf(publicKey)))
        const ours = keys.filter(key => known.has(key))
        this.wiped.push(...ours)
        return this.json(encodeWipeAnswer(ours))
      }
      default:
        return this.refuse(404, 'http.not_found')
    }
  }

  #shown(certificates: string): Issued | 'birth' | undefined {
    const leaf = parsePemBlock(certificates, 'CERTIFICATE')
    if (this.births.has(toPem('CERTIFICATE', leaf))) return 'birth'
    return this.issued.find(({ der }) => Buffer.compare(der, leaf) === 0)
  }

  #maySend(
    operation: string,
    { headers = {} }: TransportRequest,
    csr: string,
    shown: Issued | 'birth' | undefined,
  ): TransportAnswer | undefined {
    if (operation === 'simplereenroll') {
      if (!shown || shown === 'birth') return this.refuse(403, 'renewal.certificate_required')
      return shown.notAfter < this.now ? this.refuse(403, 'evidence.certificate_expired') : undefined
    }
    if (shown === 'birth') return undefined
    const [, token = ''] = Buffer.from((headers['authorization'] ?? '').slice(6), 'base64')
      .toString()
      .split(':')
    if (!this.tokens.has(token)) return this.refuse(401, 'token.unknown')
    const spentBy = this.tokens.get(token)
    if (spentBy !== undefined && spentBy !== csr) return this.refuse(401, 'token.spent')
    this.tokens.set(token, csr)
    return undefined
  }

  /** The same request again gets the same certificate. */
  #issue(csr: CertificationRequest, profile: string): Issued {
    const digest = digestOf(csr)
    const before = this.issued.find(known => known.csr === digest)
    if (before) return before
    const { subject = 'O=Test,2.5.4.5=SN-1', issuer = this.pki.issuing } = this.issueAs
    const publicKey = this.issueAs.publicKey ?? new Uint8Array(csr.subjectPublicKeyInfo.raw)
    const { certificate } = makeCertificate({
      subject,
      issuer,
      key: { spki: publicKey, identifier: publicKey.slice(-20) } as Key,
      notBefore: this.issueAs.notBefore ?? this.now - 300,
      notAfter: this.issueAs.notAfter ?? this.now + this.lifeSeconds,
    })
    const { serialNumber, notAfter } = certificate
    const issued = { serialNumber, profile, csr: digest, der: new Uint8Array(certificate.raw), publicKey, notAfter }
    this.issued.push(issued)
    // What was ordered is done, as the renewal engine has it.
    if (this.renewalOrder?.profile === profile) {
      this.renewalOrder = null
      this.window = undefined
    }
    return issued
  }

  #renewal(shown: Issued | 'birth'): RenewalInfoMessage | null {
    if (shown === 'birth' || this.state !== 'active') return null
    const start = shown.notAfter - Math.floor(this.lifeSeconds / 3)
    return {
      profile: shown.profile,
      certificate: { serialNumber: shown.serialNumber, notAfter: shown.notAfter },
      suggestedWindow: this.window ?? { start, end: start + DAY },
      reason: this.renewalOrder ? 'campaign' : 'scheduled',
      order: this.renewalOrder,
    }
  }

  /** Makes a newer set of roots, signed below `by`, and says so. */
  async publishTrust(
    roots: readonly Made[],
    by: Hierarchy = this.pki,
    options: { version?: number; purpose?: string } = {},
  ): Promise<void> {
    const { version = this.trustVersion + 1, purpose = TRUST_BUNDLE_SIGNING } = options
    const usage = extension(OID.extKeyUsage, false, encodeExtendedKeyUsage([purpose]))
    const signer = makeCertificate({
      subject: 'CN=Trust bundle signer',
      issuer: by.issuing,
      extensions: [usage],
      notBefore: this.now - DAY,
      notAfter: this.now + 365 * DAY,
    })
    this.trustBundle = await signTrustBundle(
      { version, createdAt: this.now, certificates: roots.map(({ certificate }) => certificate.raw) },
      {
        signer: softwareSigner(privateKeyOf(signer.key.privateKey), 'software:test'),
        certificate: signer.certificate,
        intermediates: [by.issuing.certificate.raw],
      },
      this.now,
    )
    this.trustVersion = Math.max(version, this.trustVersion)
  }

  /** A birth certificate and its key, known to the server. */
  birth(serialNumber = 'SN-1'): { kind: 'certificate'; certificates: string; key: string } {
    const made = makeCertificate({
      subject: `2.5.4.5=${serialNumber}`,
      issuer: this.pki.issuing,
      notBefore: this.now - DAY,
      notAfter: this.now + 3650 * DAY,
    })
    const certificates = toPem('CERTIFICATE', made.certificate.raw)
    this.births.add(certificates)
    return { kind: 'certificate', certificates, key: toPem('PRIVATE KEY', privateKeyOf(made.key.privateKey).toPkcs8()) }
  }

  certificates(certificates: readonly Uint8Array[]): TransportAnswer {
    const body = toUtf8(toBase64Lines(encodeCertsOnly(certificates), 76, '\r\n'))
    return this.answer(200, 'application/pkcs7-mime; smime-type=certs-only', body)
  }

  json(body: Uint8Array): TransportAnswer {
    return this.answer(200, 'application/json', body)
  }

  refuse(status: number, code: string, headers: Readonly<Record<string, string>> = {}): TransportAnswer {
    const problem = toUtf8(JSON.stringify({ code, detail: 'The server of the test says no.' }))
    return this.answer(status, 'application/problem+json', problem, headers)
  }

  answer(
    status: number,
    type: string,
    body: Uint8Array,
    headers: Readonly<Record<string, string>> = {},
  ): TransportAnswer {
    return {
      status,
      headers: { 'content-type': type, date: new Date(this.now * 1000).toUTCString(), ...headers },
      body: new Uint8Array(body),
      tls: {
        protocol: 'TLSv1.3',
        cipher: '',
        server: 'test',
        notBefore: this.now - 30 * DAY,
        notAfter: this.now + 60 * DAY,
      },
    }
  }
}

/** What an agent rejects with where the network is gone. */
export function unreachable(): TouchmarkError {
  return new TouchmarkError('transport.unreachable', 'unavailable', 'The network of the test is gone.')
}

/** The certificate that an identity shows. */
export function leafOf(pem: string) {
  return parseCertificate(parsePem(pem)[0]!.der)
}

export const keyIdOf = (spki: Uint8Array) => createHash('sha256').update(spki).digest('hex')
const digestOf = (csr: CertificationRequest) => createHash('sha256').update(csr.raw).digest('hex')
