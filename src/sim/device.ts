// A simulated device: makes its keys, asks the server over real EST and real TLS, keeps its files. It imports the encodings and the
// cryptography and nothing of the server, as the firmware of a device would.
import { type EstAnswer, EstClient, type EstIdentity } from '../agent/est-client.ts'
import { httpsTransport } from '../agent/https-transport.ts'
import type { TlsIdentity } from '../agent/transport.ts'
import { toPem } from '../core/asn1/pem.ts'
import type { Bytes } from '../core/bytes/bytes.ts'
import { equalBytes } from '../core/bytes/bytes.ts'
import { fromUtf8 } from '../core/bytes/utf8.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import { encodeCertificationRequestInfo, extensionRequestAttribute } from '../core/pki/csr.ts'
import { findExtension } from '../core/pki/extension.ts'
import { ATTRIBUTE, encodeName } from '../core/pki/name.ts'
import { OID } from '../core/pki/oids.ts'
import { encodeSigned } from '../core/pki/signed.ts'
import type { KeyAlgorithmName } from '../crypto/algorithms.ts'
import { generateKeyPair, type PrivateKey } from '../crypto/keys.ts'
import { softwareSigner } from '../crypto/signer.ts'

/** A key with its certificate and the certificates above it, leaf first. */
export interface Credential {
  readonly key: PrivateKey
  readonly certificate: Certificate
  readonly chain: readonly Bytes[]
}

export interface SimulatedDeviceOptions {
  readonly model: string
  readonly serialNumber: string
  /** `https://host:port` of the server. */
  readonly url: string
  /** Roots in PEM, as the factory burnt them in. */
  readonly trustAnchors: string
  readonly keyAlgorithm?: KeyAlgorithmName
  /** Path label of its EST requests. */
  readonly label?: string
}

export class SimulatedDevice {
  readonly model: string
  readonly serialNumber: string
  readonly trustAnchors: string
  readonly #algorithm: KeyAlgorithmName
  readonly #est: EstClient
  /** The key that it was born with; its certificate follows. */
  readonly birthKey: PrivateKey
  #birth: Credential | undefined
  #operational: Credential | undefined

  private constructor(options: SimulatedDeviceOptions, birthKey: PrivateKey) {
    this.model = options.model
    this.serialNumber = options.serialNumber
    this.trustAnchors = options.trustAnchors
    this.#algorithm = options.keyAlgorithm ?? 'P-256'
    this.#est = new EstClient(options)
    this.birthKey = birthKey
  }

  /** Powers on for the first time and makes its key. */
  static async powerOn(options: SimulatedDeviceOptions): Promise<SimulatedDevice> {
    return new SimulatedDevice(options, await generateKeyPair(options.keyAlgorithm ?? 'P-256'))
  }

  /** One that was born before and finds its key in its memory. */
  static restore(options: SimulatedDeviceOptions, birthKey: PrivateKey): SimulatedDevice {
    return new SimulatedDevice(options, birthKey)
  }

  get birth(): Credential {
    if (!this.#birth) throw new Error('The device has no birth certificate yet.')
    return this.#birth
  }

  get operational(): Credential {
    if (!this.#operational) throw new Error('The device has no operational certificate yet.')
    return this.#operational
  }

  /** What the device hands to the factory station: a request over its birth key, naming itself. */
  birthRequest(): Promise<Bytes> {
    const subject = encodeName([[{ type: ATTRIBUTE.serialNumber, value: this.serialNumber }]])
    return certificationRequest(this.birthKey, subject)
  }

  /** Takes its birth certificate from the factory station, leaf first. Throws where it is not for its key. */
  installBirthCertificate(certificates: readonly Uint8Array[]): void {
    this.#birth = credential(this.birthKey, certificates)
  }

  /** Asks for its operational certificate: with its birth certificate (mutual TLS) or with a token (HTTP Basic). */
  async enrol(evidence: { readonly token?: string } = {}): Promise<Credential> {
    const key = await generateKeyPair(this.#algorithm)
    const subject = encodeName([[{ type: ATTRIBUTE.serialNumber, value: this.serialNumber }]])
    const csr = await certificationRequest(key, subject)
    const identity: EstIdentity =
      evidence.token === undefined
        ? { tls: tlsIdentity(this.birth) }
        : { basic: { user: this.serialNumber, password: evidence.token } }
    this.#operational = await this.#finish(key, () => this.#est.simpleEnroll(csr, identity))
    return this.#operational
  }

  /** Replaces its operational certificate with one over a new key, shown the old one; the names stay (RFC 7030 §4.2.2). */
  async renew(): Promise<Credential> {
    const old = this.operational
    const key = await generateKeyPair(this.#algorithm)
    const names = findExtension(old.certificate.extensions, OID.subjectAltName)
    const attributes = names ? [extensionRequestAttribute([names])] : []
    const csr = await certificationRequest(key, old.certificate.subject.raw, attributes)
    this.#operational = await this.#finish(key, () => this.#est.simpleReenroll(csr, { tls: tlsIdentity(old) }))
    return this.#operational
  }

  /** The authority certificates that the server hands out. */
  cacerts(): Promise<readonly Bytes[]> {
    return this.#est.cacerts()
  }

  /** Speaks mutual TLS with any service: what the service answered, and what the handshake was. */
  async call(url: string, credential: Credential = this.operational) {
    const { trustAnchors } = this
    const identity = tlsIdentity(credential)
    const limits = { maxBody: 64 * 1024, deadlineMs: 30_000 }
    const { status, body, tls } = await httpsTransport.exchange({
      method: 'GET',
      url,
      trustAnchors,
      identity,
      ...limits,
    })
    return { status, body: fromUtf8(body), tls }
  }

  /** Everything that it keeps, by file name. */
  files(): ReadonlyMap<string, string> {
    const files = new Map([
      ['roots.pem', this.trustAnchors],
      ['birth.key', privateKeyPem(this.birthKey)],
    ])
    if (this.#birth) files.set('birth.pem', chainPem(this.#birth.chain))
    if (this.#operational) {
      files.set('device.key', privateKeyPem(this.#operational.key))
      files.set('device.pem', chainPem(this.#operational.chain))
    }
    return files
  }

  /** Waits as long as the server asks while a person has to approve (RFC 7030 §4.2.3), a few times. */
  async #finish(key: PrivateKey, ask: () => Promise<EstAnswer>): Promise<Credential> {
    for (let attempt = 1; ; attempt++) {
      const answer = await ask()
      if (answer.kind === 'certificates') return credential(key, await this.#withChain(answer.certificates))
      if (attempt === MAX_POLLS) throw new Error('The server still keeps the request waiting.')
      await new Promise(resolve => setTimeout(resolve, answer.retryAfterSeconds * 1000))
    }
  }

  /** A simple enrolment answers with the leaf alone (§4.2.3); what stands between it and the root comes from /cacerts. */
  async #withChain(certificates: readonly Bytes[]): Promise<readonly Bytes[]> {
    const [leaf, ...rest] = certificates
    if (!leaf) return []
    const pool = [...rest, ...(await this.#est.cacerts())].map(der => parseCertificate(der))
    const chain = [leaf]
    for (let at = parseCertificate(leaf); chain.length < MAX_CHAIN; ) {
      const issuer = pool.find(candidate => equalBytes(candidate.subject.raw, at.issuer.raw))
      if (!issuer || equalBytes(issuer.subject.raw, issuer.issuer.raw)) break
      chain.push(new Uint8Array(issuer.raw))
      at = issuer
    }
    return chain
  }
}

const MAX_POLLS = 5
const MAX_CHAIN = 8

async function certificationRequest(
  key: PrivateKey,
  subject: Uint8Array,
  attributes: Parameters<typeof encodeCertificationRequestInfo>[0]['attributes'] = [],
): Promise<Bytes> {
  const signer = softwareSigner(key, 'device:key')
  const info = encodeCertificationRequestInfo({ subject, subjectPublicKeyInfo: key.publicKey, attributes })
  return encodeSigned(info, signer.algorithm.algorithmIdentifier, await signer.sign(info))
}

function credential(key: PrivateKey, certificates: readonly Uint8Array[]): Credential {
  const leaf = certificates[0]
  if (!leaf) throw new Error('No certificate came.')
  const certificate = parseCertificate(leaf)
  if (!equalBytes(certificate.subjectPublicKeyInfo.raw, key.publicKey))
    throw new Error('The certificate is for another key.')
  return { key, certificate, chain: certificates.map(der => new Uint8Array(der)) }
}

function tlsIdentity(credential: Credential): TlsIdentity {
  return { certificates: chainPem(credential.chain), key: privateKeyPem(credential.key) }
}

const chainPem = (chain: readonly Uint8Array[]) => chain.map(der => toPem('CERTIFICATE', der)).join('')
const privateKeyPem = (key: PrivateKey) => toPem('PRIVATE KEY', key.toPkcs8())
