// `touchmark trust`: the roots that devices and services rely on, as PEM on standard output, whether the server runs or not.
import { toPem } from '../core/asn1/pem.ts'
import { toHex } from '../core/bytes/hex.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import { formatName } from '../core/pki/name.ts'
import { sha256 } from '../crypto/digest.ts'
import { act, type Command, command } from './command.ts'
import { timestamp } from './output.ts'
import { withStore } from './store.ts'

export function trustCommand(): Command {
  const trust = command({
    name: 'trust',
    summary: 'Print the trust anchors',
    description: 'A PEM bundle of the root certificates: what --cacert of curl and -CAfile of openssl take.',
    examples: [['trust --data ./acme > roots.pem', 'Save the roots']],
  })
  return act(trust, ({ out, data }) =>
    withStore(data, async store => {
      const authorities = await store.read.authorities()
      const roots = authorities.filter(authority => authority.kind === 'root' && authority.certificate !== null)
      // An instance whose root is elsewhere trusts the last certificate above its authorities.
      const outside = authorities.map(authority => authority.chainAbove.at(-1)).filter(der => der !== undefined)
      const anchors = new Map(
        [...roots.map(root => root.certificate!), ...outside].map(der => [toHex(sha256(der)), der]),
      )
      if (!out.json) {
        for (const der of anchors.values()) out.raw(toPem('CERTIFICATE', der))
        return
      }
      out.line({
        trustAnchors: [...anchors].map(([fingerprint, der]) => {
          const certificate = parseCertificate(der)
          return {
            subject: formatName(certificate.subject),
            sha256: fingerprint,
            notAfter: timestamp(certificate.notAfter),
            pem: toPem('CERTIFICATE', der),
          }
        }),
      })
    }),
  )
}
