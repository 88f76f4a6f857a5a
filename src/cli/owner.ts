// `touchmark owner`: who may own devices, and the certificates under which an owner's signatures count.
import { readFile } from 'node:fs/promises'
import { parsePem, toPem } from '../core/asn1/pem.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { Certificate } from '../core/pki/certificate.ts'
import { formatName } from '../core/pki/name.ts'
import { sha256Hex } from '../crypto/digest.ts'
import { type Owner, ownerDocument, parseOwner, readOwner } from '../domain/device/owner.ts'
import type { Store } from '../domain/ports.ts'
import { act, type Command, command, group, usageError } from './command.ts'
import { putDocument } from './documents.ts'
import { table, time, timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

export function ownerCommand(): Command {
  return group({ name: 'owner', summary: 'Owners of devices, and whose signatures count for them' })
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(removeCommand())
}

interface AddOptions {
  readonly certificate: readonly string[]
  readonly description?: string
}

function addCommand(): Command {
  const add = command({
    name: 'add',
    summary: 'Add an owner, or a certificate to one',
    description:
      'The certificate is trusted as it is: make sure by another way whose it is. Its issuer is not asked, its end is.',
    examples: [['owner add beta --certificate beta-signing.pem', 'Signatures under this certificate count for beta']],
  })
    .argument('<name>', 'small letters, digits and . _ -; it stands in the log, so no name of a person')
    .option('--certificate <file>', 'PEM or DER; may be given again', (file, all: string[]) => [...all, file], [])
    .option('--description <text>', 'who it is')
  return act<AddOptions>(add, ({ out, data, options }, name) =>
    withStore(data, async store => {
      const before = await existing(name!, store)
      const added = await Promise.all(options.certificate.map(readCertificateFile))
      const kept = before?.certificates.map(({ raw }) => toPem('CERTIFICATE', raw)) ?? []
      const certificates = [...new Set([...kept, ...added])]
      const owner = await save(store, name!, options.description ?? before?.description ?? '', certificates)
      out.result(ownerView(owner), () => `${owner.name}: ${owner.certificates.length} certificate(s).`)
    }),
  )
}

function listCommand(): Command {
  const list = command({ name: 'list', summary: 'List the owners' })
  return act(list, ({ out, data }) =>
    withStore(data, async ({ read }) => {
      const owners = (await read.documents('owner')).map(({ body }) => parseOwner(JSON.parse(body)))
      owners.sort((a, b) => (a.name < b.name ? -1 : 1))
      out.result(owners.map(ownerView), () =>
        table(
          ['OWNER', 'CERTIFICATES', 'WHO'],
          owners.map(({ name, certificates, description }) => [name, String(certificates.length), description]),
        ),
      )
    }),
  )
}

function showCommand(): Command {
  const show = command({ name: 'show', summary: 'Show the certificates of an owner' }).argument(
    '<name>',
    'of the owner',
  )
  return act(show, ({ out, data }, name) =>
    withStore(data, async ({ read }) => {
      const owner = await readOwner(name!, read)
      out.result(ownerView(owner), () =>
        table(
          ['SHA-256', 'SUBJECT', 'NOT AFTER'],
          owner.certificates.map(each => [sha256Hex(each.raw), formatName(each.subject), time(each.notAfter)]),
        ),
      )
    }),
  )
}

function removeCommand(): Command {
  const remove = command({
    name: 'remove',
    summary: 'Take a certificate away from an owner: what it signs from now on counts no more',
    examples: [['owner remove beta --certificate 3f5a…', 'By its SHA-256, from owner show']],
  })
    .argument('<name>', 'of the owner')
    .requiredOption('--certificate <sha256>', '64 hexadecimal digits')
  return act<{ readonly certificate: string }>(remove, ({ out, data, options }, name) =>
    withStore(data, async store => {
      const before = await readOwner(name!, store.read)
      const wanted = options.certificate.toLowerCase()
      const kept = before.certificates.filter(({ raw }) => sha256Hex(raw) !== wanted)
      if (kept.length === before.certificates.length) {
        throw usageError('The owner has no such certificate.', `See: touchmark owner show ${name}`)
      }
      const certificates = kept.map(({ raw }) => toPem('CERTIFICATE', raw))
      const owner = await save(store, before.name, before.description, certificates)
      out.result(ownerView(owner), () => `${owner.name}: ${owner.certificates.length} certificate(s).`)
    }),
  )
}

async function existing(name: string, store: Store): Promise<Owner | undefined> {
  const document = await store.read.document('owner', name)
  return document && parseOwner(JSON.parse(document.body))
}

async function save(store: Store, name: string, description: string, certificates: string[]): Promise<Owner> {
  const now = systemClock.now()
  const config = { schema: 1 as const, name, description, certificates }
  const body = (version: number) => ownerDocument(config, version, now).body
  await putDocument(store, { kind: 'owner', name, body }, 'owner.changed', now)
  return parseOwner(config)
}

/** PEM of the one certificate in the file. */
async function readCertificateFile(file: string): Promise<string> {
  let bytes: Uint8Array
  try {
    bytes = new Uint8Array(await readFile(file))
  } catch (cause) {
    throw usageError(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}).`)
  }
  // DER begins with a SEQUENCE.
  if (bytes[0] === 0x30) return toPem('CERTIFICATE', bytes)
  const blocks = parsePem(new TextDecoder('latin1').decode(bytes)).filter(({ label }) => label === 'CERTIFICATE')
  const [block, ...others] = blocks
  if (block !== undefined && others.length === 0) return toPem('CERTIFICATE', block.der)
  throw new TouchmarkError('owner.certificate_file', 'malformed', `${file} does not hold one certificate.`, {
    next: 'Give one certificate a file, and --certificate for each.',
  })
}

const certificateView = ({ raw, subject, notBefore, notAfter }: Certificate) => ({
  sha256: sha256Hex(raw),
  subject: formatName(subject),
  notBefore: timestamp(notBefore),
  notAfter: timestamp(notAfter),
})

const ownerView = ({ name, description, certificates }: Owner) => ({
  name,
  description,
  certificates: certificates.map(certificateView),
})
