// A device's first step with `touchmark/pki`: a key, a certification request over it (RFC 2986), and what the request says when it is read back.
// Run: node examples/make-request.ts SN-000042
import {
  encodeCertificationRequestInfo,
  encodeName,
  encodeSigned,
  formatName,
  generateKeyPair,
  parseCertificationRequest,
  parseNameText,
  softwareSigner,
  toPem,
  verifySignature,
} from 'touchmark/pki'

const serialNumber = process.argv[2] ?? 'SN-000042'

const key = await generateKeyPair('P-256')
const signer = softwareSigner(key, 'memory:example')

const info = encodeCertificationRequestInfo({
  subject: encodeName(parseNameText(`serialNumber=${serialNumber}`)),
  subjectPublicKeyInfo: key.publicKey,
})
const der = encodeSigned(info, signer.algorithm.algorithmIdentifier, await signer.sign(info))

const request = parseCertificationRequest(der)
const proved = verifySignature(
  request.subjectPublicKeyInfo.raw,
  request.signatureAlgorithm,
  request.tbs,
  request.signature,
)
console.error(`subject ${formatName(request.subject)}, proof of possession ${proved ? 'holds' : 'fails'}`)
process.stdout.write(toPem('CERTIFICATE REQUEST', der))
