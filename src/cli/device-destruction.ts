// `touchmark device destruction-certificate`: the certificate of destruction in a folder, for people and for programs.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toBase64 } from '../core/bytes/base64.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { openCheckpoint } from '../core/merkle/checkpoint.ts'
import type { CertificateOfDestruction } from '../domain/device/certificate-of-destruction.ts'
import { act, type Command, command, withPassphrase } from './command.ts'
import { deviceArgument, findDevice } from './find-device.ts'
import { facts } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'

interface Options {
  readonly model?: string
  readonly output: string
  readonly passphraseFile?: string
}

const FILES = {
  whole: 'certificate-of-destruction.json',
  pdf: 'certificate-of-destruction.pdf',
  facts: 'facts.json',
  signature: 'facts.json.p7s',
  entry: 'log-entry.json',
  proof: 'log-entry.tlog-proof',
} as const

export function destructionCertificateCommand(): Command {
  const certificate = withPassphrase(
    deviceArgument(
      command({
        name: 'destruction-certificate',
        summary: 'Write the certificate of destruction of a device, as JSON and as PDF',
        description:
          `${FILES.whole} has everything in one file; the others are its parts, as tools take them.\n` +
          'How somebody else checks them: docs/guides/end-of-life.md.',
        examples: [['device destruction-certificate SN-000042 --output SN-000042-destroyed', 'A folder to hand over']],
      }),
    ),
  ).requiredOption('-o, --output <folder>', 'where to write it')
  return act<Options>(certificate, async ({ out, data, options }, serial) => {
    const [{ openInstance }, { checkpointSigner }, { logVerifiers }, { certifyDestruction }, { destructionPdf }] =
      await Promise.all([
        import('../server/open-instance.ts'),
        import('../server/checkpoint-signer.ts'),
        import('../server/log-key.ts'),
        import('../domain/device/certificate-of-destruction.ts'),
        import('../adapters/pdf/destruction-pdf.ts'),
      ])
    await using instance = await openInstance(data, passphraseSources(options))
    const { origin, verifierKeys } = instance.configuration.log
    const device = await findDevice(instance.store.read, serial!, options.model)
    const verifiers = logVerifiers(verifierKeys)
    const made = await certifyDestruction(device.id, {
      ...instance,
      signCheckpoint: await checkpointSigner(instance),
      openCheckpoint: note => openCheckpoint(toUtf8(note), origin, verifiers).checkpoint,
    })
    const files = { facts: FILES.facts, signature: FILES.signature, proof: FILES.proof }
    const contents: Record<string, string | Uint8Array> = {
      [FILES.whole]: `${JSON.stringify(wholeOf(made, verifierKeys), null, 2)}\n`,
      [FILES.pdf]: await destructionPdf(made, { verifierKey: verifierKeys[0]!, files }),
      [FILES.facts]: made.octets,
      [FILES.signature]: made.signature,
      [FILES.entry]: made.logEntry.entry,
      [FILES.proof]: tlogProof(made),
    }
    await mkdir(options.output, { recursive: true })
    for (const [name, content] of Object.entries(contents)) await writeFile(join(options.output, name), content)
    const document = { serialNumber: device.serialNumber, output: options.output, files: Object.keys(contents) }
    out.result({ ...document, logEntry: made.logEntry.index }, () =>
      facts([
        ['device', `${device.serialNumber} (${device.model})`],
        ['log entry', String(made.logEntry.index)],
        [
          'files',
          Object.keys(contents)
            .map(name => join(options.output, name))
            .join('\n'),
        ],
      ]),
    )
  })
}

/** Everything in one document; `octets` is what is signed and logged, `facts` the same to read. */
function wholeOf(
  { facts: said, octets, signature, logEntry }: CertificateOfDestruction,
  verifierKeys: readonly string[],
) {
  return {
    format: 'touchmark-destruction-record/1',
    facts: said,
    octets: toBase64(octets),
    signature: toBase64(signature),
    logEntry: {
      index: logEntry.index,
      entry: logEntry.entry,
      proof: logEntry.proof.map(toBase64),
      checkpoint: logEntry.checkpoint,
    },
    verifierKeys,
  }
}

/** C2SP tlog-proof. */
function tlogProof({ logEntry: { index, proof, checkpoint } }: CertificateOfDestruction): string {
  return `c2sp.org/tlog-proof@v1\nindex ${index}\n${proof.map(hash => `${toBase64(hash)}\n`).join('')}\n${checkpoint}`
}
