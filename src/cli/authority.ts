// `touchmark authority`: the hierarchy as it is. How it grows is in authority-make.ts.
import { toPem } from '../core/asn1/pem.ts'
import { TouchmarkError } from '../core/errors.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import { formatName } from '../core/pki/name.ts'
import type { Authority } from '../domain/ca/authority.ts'
import { describeCertificate } from '../domain/describe/describe-certificate.ts'
import { authorityId } from '../domain/ids.ts'
import { createCommand, crlCommand, csrCommand, importCommand, signCommand } from './authority-make.ts'
import { act, type Command, command, group } from './command.ts'
import { keylessAuthorities } from './keyless-authorities.ts'
import { OPERATOR } from './operator.ts'
import { facts, table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

export function authorityCommand(): Command {
  return group({
    name: 'authority',
    summary: 'Certification authorities: list, show, make, import',
    examples: [
      ['authority list', 'What there is'],
      [
        'authority create idevid-2 --name "IDevID CA 2" --issuer root-1 --issuer-keys /media/usb/offline-root',
        'The next generation, under our offline root',
      ],
      ['authority create ldevid-2 --name "LDevID CA 2" > ldevid-2.csr', 'A key here, its certificate from elsewhere'],
      ['authority import ldevid-2 ldevid-2.pem --above company-root.pem', 'The certificate comes back'],
    ],
  })
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(createCommand())
    .addCommand(csrCommand())
    .addCommand(signCommand())
    .addCommand(importCommand())
    .addCommand(crlCommand())
    .addCommand(retireCommand())
}

function listCommand(): Command {
  const list = command({ name: 'list', summary: 'List the authorities' })
  return act(list, ({ out, data }) =>
    withStore(data, async ({ read }) => {
      const authorities = await read.authorities()
      if (out.json) {
        out.line({ authorities: authorities.map(authorityView) })
        return
      }
      const rows = authorities.map(authority => {
        const certificate = authority.certificate && parseCertificate(authority.certificate)
        return [
          authority.id,
          authority.kind,
          authority.state.replaceAll('_', ' '),
          certificate ? formatName(certificate.subject) : '',
          authority.issuer ?? (certificate ? formatName(certificate.issuer) : ''),
          certificate ? time(certificate.notAfter) : '',
        ]
      })
      out.say(table(['AUTHORITY', 'KIND', 'STATE', 'SUBJECT', 'ISSUER', 'NOT AFTER'], rows))
    }),
  )
}

interface ShowOptions {
  readonly pem?: boolean
  readonly chain?: boolean
}

function showCommand(): Command {
  const show = command({
    name: 'show',
    summary: 'Show an authority and its certificate',
    examples: [['authority show ldevid-1 --chain > chain.pem', 'Its certificate and those above, root included']],
  })
    .argument('<id>', 'from touchmark authority list')
    .option('--pem', 'only the certificate, as PEM')
    .option('--chain', 'the certificate and those above, as PEM')
  return act<ShowOptions>(show, ({ out, data, options }, text) =>
    withStore(data, async store => {
      const authorities = keylessAuthorities(store)
      const id = authorityId(text!)
      if (options.pem || options.chain) {
        const chain = await authorities.chain(id)
        for (const der of options.chain ? chain : chain.slice(0, 1)) out.raw(toPem('CERTIFICATE', der))
        return
      }
      const record = await authorities.byId(id)
      if (!record) throw noAuthority(text!)
      const described = record.certificate && describeCertificate(record.certificate)
      out.result({ ...authorityView(record), certificate: described }, () =>
        facts([
          ['authority', record.id],
          ['kind', record.kind],
          ['state', record.state.replaceAll('_', ' ')],
          ['key', record.keyUri],
          ['CRL shards', String(record.crlShards)],
          ['made', time(record.createdAt)],
          ...(described === null
            ? []
            : [
                ['subject', described.subject] as const,
                ['issuer', described.issuer] as const,
                ['serial number', described.serialNumber] as const,
                ['not after', time(Date.parse(described.notAfter) / 1000)] as const,
                ['SHA-256', described.sha256] as const,
                ...described.extensions.map(
                  each => [each.name ?? each.oid, `${each.critical ? 'critical: ' : ''}${each.value}`] as const,
                ),
              ]),
        ]),
      )
    }),
  )
}

function retireCommand(): Command {
  const retire = command({
    name: 'retire',
    summary: 'Let an authority issue no more; it still answers for what it issued',
    description:
      'It cannot be undone. Profiles that name the authority without a generation go on with its newest active one.',
    examples: [['authority retire idevid-1 --yes', 'After idevid-2 took over']],
  })
    .argument('<id>', 'from touchmark authority list')
    .requiredOption('--yes', 'that it is meant')
  return act(retire, ({ out, data }, text) =>
    withStore(data, async store => {
      const { retireAuthority } = await import('../domain/ca/import-authority.ts')
      const ports = { store, authorities: keylessAuthorities(store), now: systemClock.now(), actor: OPERATOR }
      await retireAuthority(authorityId(text!), ports)
      out.result({ id: text, state: 'retired' }, () => `${text} issues no more.`)
    }),
  )
}

export function authorityView(authority: Authority) {
  const { id, kind, state, issuer, keyUri, generation, crlShards, createdAt } = authority
  const certificate = authority.certificate && parseCertificate(authority.certificate)
  return {
    id,
    kind,
    state,
    issuer,
    keyUri,
    generation,
    crlShards,
    createdAt: timestamp(createdAt),
    subject: certificate && formatName(certificate.subject),
    serialNumber: certificate?.serialNumber ?? null,
    notAfter: certificate && timestamp(certificate.notAfter),
  }
}

export function noAuthority(id: string): TouchmarkError {
  return new TouchmarkError('authority.not_found', 'not_found', `There is no authority ${id}.`, {
    next: 'List the authorities with: touchmark authority list',
  })
}
