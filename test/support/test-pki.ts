// Throw-away certificates for tests of TLS, made by a library that is not ours.
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export interface TestCertificate {
  readonly certificate: x509.X509Certificate
  readonly keys: Awaited<ReturnType<typeof makeKeys>>
  /** PEM, as node:tls takes it. */
  readonly cert: string
  readonly key: string
}

export interface TestCertificateOptions {
  readonly name: string
  readonly issuer?: TestCertificate
  readonly authority?: boolean
  readonly dns?: readonly string[]
  readonly notAfter?: Date
  /** Those of another certificate; absent: new ones. */
  readonly keys?: TestCertificate['keys']
}

const makeKeys = () => crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])

/** A P-256 certificate; self-signed without an issuer. */
export async function testCertificate(options: TestCertificateOptions): Promise<TestCertificate> {
  const keys = options.keys ?? (await makeKeys())
  const extensions: x509.Extension[] = [new x509.BasicConstraintsExtension(options.authority === true, undefined, true)]
  if (options.dns)
    extensions.push(new x509.SubjectAlternativeNameExtension(options.dns.map(value => ({ type: 'dns', value }))))
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${options.name}`,
    issuer: options.issuer?.certificate.subject ?? `CN=${options.name}`,
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: options.notAfter ?? new Date(Date.now() + 86_400_000),
    publicKey: keys.publicKey,
    signingKey: options.issuer?.keys.privateKey ?? keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return {
    certificate,
    keys,
    cert: `${certificate.toString('pem')}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
  }
}
