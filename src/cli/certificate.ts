// `touchmark certificate`: a certificate of the registry by its serial number, or any certificate from a file.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parsePem } from '../core/asn1/pem.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { CertificateRecord } from '../domain/ca/certificate-record.ts'
import { type CertificateDescription, describeCertificate } from '../domain/describe/describe-certificate.ts'
import { serialNumber } from '../domain/ids.ts'
import type { StoreReader } from '../domain/ports.ts'
import { act, type Command, command, group, positiveInteger } from './command.ts'
import { findDevice } from './find-device.ts'
import { facts, table, time } from './output.ts'
import { systemClock, withStore } from './store.ts'
import { certificateView, statusText } from './views.ts'

export function certificateCommand(): Command {
  return group({ name: 'certificate', summary: 'Find a certificate, or decode one from a file' })
    .addCommand(showCommand())
    .addCommand(listCommand())
}

interface ShowOptions {
  readonly pem?: boolean
}

/** Certificate files that are read: a bundle of a few hundred. */
const MAX_FILE = 4 * 1024 * 1024

function showCommand(): Command {
  const show = command({
    name: 'show',
    summary: 'Show a certificate by serial number, or decode a PEM or DER file',
    examples: [
      ['certificate show 6743a1f0c2…', 'By serial number in hex: what it says, its status, where the log has it'],
      ['certificate show 6743a1f0c2… --pem > device.pem', 'Only the certificate'],
      ['certificate show chain.pem', 'Every certificate of a file, also of other makers; needs no data folder'],
    ],
  })
    .argument('<serial-or-file>', 'serial number in hex, or a file; - reads standard input')
    .option('--pem', 'only the PEM')
  return act<ShowOptions>(show, async ({ out, data, options }, wanted) => {
    const shown = isFile(wanted!)
      ? await fromFile(wanted!)
      : await withStore(data, store => fromRegistry(store.read, wanted!))
    if (options.pem) {
      for (const { description } of shown) out.raw(description.pem)
      return
    }
    const documents = shown.map(({ description, record }) =>
      record ? { ...description, registry: certificateView(record, systemClock.now()) } : description,
    )
    // One certificate is one document; a file with several is one line each.
    for (const [i, document] of documents.entries()) {
      out.result(document, () => `${i > 0 ? '\n' : ''}${words(shown[i]!)}`)
    }
  })
}

interface Shown {
  readonly description: CertificateDescription
  readonly record: CertificateRecord | undefined
}

function isFile(text: string): boolean {
  return text === '-' || /[./\\]/.test(text) || (existsSync(text) && !/^[0-9a-f:]+$/i.test(text))
}

async function fromFile(path: string): Promise<Shown[]> {
  let bytes: Uint8Array
  try {
    bytes = path === '-' ? await readStandardInput() : await readFile(path)
  } catch (cause) {
    throw new TouchmarkError('certificate.file_unreadable', 'not_found', `${path} cannot be read.`, {
      cause,
      next: 'Name a file that this user may read, or - for standard input; a stored certificate by its serial number.',
      evidence: { reason: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
    })
  }
  if (bytes.length > MAX_FILE)
    throw new TouchmarkError('certificate.file_too_large', 'malformed', `${path} is too large to be certificates.`, {
      next: 'A certificate file is DER, or PEM with BEGIN CERTIFICATE.',
    })
  const isDer = bytes[0] === 0x30
  const ders = isDer
    ? [new Uint8Array(bytes)]
    : parsePem(new TextDecoder().decode(bytes)).flatMap(block => (LABELS.includes(block.label) ? [block.der] : []))
  if (ders.length === 0) {
    throw new TouchmarkError('certificate.file_empty', 'malformed', `${path} holds no certificate.`, {
      next: 'A certificate file is DER, or PEM with BEGIN CERTIFICATE.',
    })
  }
  return ders.map(der => ({ description: describeCertificate(der), record: undefined }))
}

const LABELS = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function fromRegistry(read: StoreReader, text: string): Promise<Shown[]> {
  const records = /^[0-9a-fA-F:]{1,128}$/.test(text) ? await read.certificatesBySerial(serialNumber(text)) : []
  if (records.length === 0) {
    throw new TouchmarkError('certificate.not_found', 'not_found', `No certificate has the serial number ${text}.`, {
      next: 'Look it up with: touchmark device show SERIAL',
    })
  }
  return records.map(record => ({ description: describeCertificate(record.der), record }))
}

function words({ description: shown, record }: Shown): string {
  const status = record
    ? [
        ['status', statusText(record, systemClock.now())] as const,
        ['profile', `${record.profile} version ${record.profileVersion}`] as const,
        ['issued by', record.authorityId] as const,
        ...(record.replaces ? [['replaces', record.replaces.serialNumber] as const] : []),
        ['log entry', String(record.auditIndex)] as const,
      ]
    : []
  return facts([
    ['serial number', shown.serialNumber],
    ['subject', shown.subject || '(empty)'],
    ['issuer', shown.issuer],
    ['not before', time(Date.parse(shown.notBefore) / 1000)],
    ['not after', time(Date.parse(shown.notAfter) / 1000)],
    ['key', shown.keyAlgorithm],
    ['signature', shown.signatureAlgorithm],
    ...status,
    ['SHA-256', shown.sha256],
    ...shown.extensions.map(
      each => [each.name ?? each.oid, `${each.critical ? 'critical: ' : ''}${each.value}`] as const,
    ),
  ])
}

interface ListOptions {
  readonly device: string
  readonly model?: string
  readonly limit: number
}

function listCommand(): Command {
  const list = command({
    name: 'list',
    summary: 'List the certificates of a device, newest first',
    examples: [['certificate list --device SN-000042', 'Every certificate that the device ever had']],
  })
    .requiredOption('--device <serial>', "the device's serial number")
    .option('-m, --model <model>', 'where two models share the serial number')
    .option('-n, --limit <count>', 'at most so many', positiveInteger, 100)
  return act<ListOptions>(list, ({ out, data, options }) =>
    withStore(data, async store => {
      const device = await findDevice(store.read, options.device, options.model)
      const records = (await store.read.certificatesOfDevice(device.id)).slice(0, options.limit)
      const now = systemClock.now()
      if (out.json) {
        for (const record of records) out.line(certificateView(record, now))
        return
      }
      const rows = records.map(record => [
        record.serialNumber,
        record.profile,
        record.authorityId,
        time(record.notBefore),
        time(record.notAfter),
        statusText(record, now),
      ])
      out.say(table(['CERTIFICATE', 'PROFILE', 'ISSUER', 'NOT BEFORE', 'NOT AFTER', 'STATUS'], rows))
    }),
  )
}
