// `touchmark trust`: the roots that devices and services rely on, as PEM on standard output, whether the server runs or not. And the
// other direction: makers whose birth certificates this instance accepts.
import { toPem } from '../core/asn1/pem.ts'
import { toHex } from '../core/bytes/hex.ts'
import { TouchmarkError } from '../core/errors.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import { formatName } from '../core/pki/name.ts'
import { sha256 } from '../crypto/digest.ts'
import { act, type Command, command } from './command.ts'
import { table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

export function trustCommand(): Command {
  const trust = command({
    name: 'trust',
    summary: 'Print the trust anchors; accept those of other makers',
    description:
      'Without a subcommand: a PEM bundle of our roots, which is what --cacert of curl and -CAfile of openssl take.',
    examples: [
      ['trust --data ./acme > roots.pem', 'Our roots'],
      ['trust add globex.json --data ./acme', 'Accept devices of another maker, as the registration rules say'],
    ],
  })
  act(trust, ({ out, data }) =>
    withStore(data, async store => {
      const authorities = await store.read.authorities()
      const roots = authorities
        .filter(authority => authority.kind === 'root')
        .flatMap(({ certificate }) => certificate ?? [])
      // An instance whose root is elsewhere trusts the last certificate above its authorities.
      const outside = authorities.flatMap(authority => authority.chainAbove.at(-1) ?? [])
      const anchors = new Map([...roots, ...outside].map(der => [toHex(sha256(der)), der]))
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
  return trust
    .enablePositionalOptions()
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(addCommand())
    .addCommand(removeCommand())
}

function listCommand(): Command {
  const list = command({ name: 'list', summary: 'List other makers whose birth certificates are accepted' })
  return act(list, ({ out, data }) =>
    withStore(data, async ({ read }) => {
      const { parseTrustAnchors } = await import('../domain/ra/trust-anchors.ts')
      const makers = (await read.documents('trust-anchors')).map(document => ({
        document,
        anchors: parseTrustAnchors(JSON.parse(document.body)),
      }))
      const view = makers.map(({ document, anchors }) => ({
        name: anchors.name,
        version: document.version,
        description: anchors.description,
        certificates: anchors.certificates.map(({ subject, notAfter }) => ({
          subject: formatName(subject),
          notAfter: timestamp(notAfter),
        })),
      }))
      out.result({ makers: view }, () =>
        table(
          ['MAKER', 'VERSION', 'SINCE', 'CERTIFICATES', 'DESCRIPTION'],
          makers.map(({ document, anchors }) => [
            anchors.name,
            String(document.version),
            time(document.createdAt),
            String(anchors.certificates.length),
            anchors.description,
          ]),
        ),
      )
    }),
  )
}

function showCommand(): Command {
  const show = command({ name: 'show', summary: 'Print the trust anchor list of a maker as it is stored' }).argument(
    '<name>',
    'of the maker',
  )
  return act(show, ({ out, data }, name) =>
    withStore(data, async ({ read }) => {
      const document = await read.document('trust-anchors', name!)
      if (!document) throw noMaker(name!)
      out.raw(`${JSON.stringify(JSON.parse(document.body), null, out.json ? undefined : 2)}\n`)
    }),
  )
}

function addCommand(): Command {
  const add = command({
    name: 'add',
    summary: 'Accept the birth certificates of another maker',
    description:
      'The file is JSON: name, certificates (PEM texts, roots or intermediates), model (how a certificate tells the model:\n' +
      '{"fixed":"sensor-3"} or {"subject":"OU","allowed":["sensor-*"]}), serialNumber (where it stands). The same name\n' +
      'again is its next version. What such a device may have is for the registration rules to say.',
    examples: [['trust add globex.json', 'In force at once, also in a running server']],
  }).argument('<file>', 'JSON; - reads standard input')
  return act(add, async ({ out, data }, file) => {
    const [{ readJsonFile, putDocument }, { parseTrustAnchors }] = await Promise.all([
      import('./documents.ts'),
      import('../domain/ra/trust-anchors.ts'),
    ])
    const json = await readJsonFile(file!)
    const anchors = parseTrustAnchors(json)
    await withStore(data, async store => {
      const subjects = Object.fromEntries(
        anchors.certificates.slice(0, 1).map(certificate => ['certificateSha256', toHex(sha256(certificate.raw))]),
      )
      const document = { kind: 'trust-anchors', name: anchors.name, body: () => JSON.stringify(json, null, 2) } as const
      const version = await putDocument(store, document, 'trust.anchor_added', systemClock.now(), subjects)
      out.result(
        { name: anchors.name, version, certificates: anchors.certificates.length },
        () => `${anchors.name} is accepted: ${anchors.certificates.length} certificate(s), version ${version}.`,
      )
    })
  })
}

function removeCommand(): Command {
  const remove = command({
    name: 'remove',
    summary: 'Accept the birth certificates of a maker no more',
    description:
      'The list stays, with no certificate in it. Devices that enrolled already keep what they have: suspend or revoke them one by one.',
    examples: [['trust remove globex', 'In force at once, also in a running server']],
  }).argument('<name>', 'of the maker')
  return act(remove, async ({ out, data }, name) => {
    const [{ putDocument }, { parseTrustAnchors }] = await Promise.all([
      import('./documents.ts'),
      import('../domain/ra/trust-anchors.ts'),
    ])
    await withStore(data, async store => {
      const current = await store.read.document('trust-anchors', name!)
      if (!current) throw noMaker(name!)
      const config: unknown = JSON.parse(current.body)
      const { certificates } = parseTrustAnchors(config)
      if (certificates.length === 0) {
        out.result({ name, version: current.version }, () => `${name} is not accepted.`)
        return
      }
      const body = () => JSON.stringify({ ...(config as object), certificates: [] }, null, 2)
      const subject = { certificateSha256: toHex(sha256(certificates[0]!.raw)) }
      const document = { kind: 'trust-anchors', name: name!, body } as const
      const version = await putDocument(store, document, 'trust.anchor_removed', systemClock.now(), subject)
      out.result({ name, version }, () => `${name} is accepted no more, since version ${version}.`)
    })
  })
}

function noMaker(name: string): TouchmarkError {
  return new TouchmarkError('trust_anchors.not_found', 'not_found', `There is no trust anchor list ${name}.`, {
    next: 'List them with: touchmark trust list',
  })
}
