// `touchmark batch`: birth certificates for every unit of a factory's file. May be stopped and run again at any time: units that
// have their certificate get that very one.
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BatchCounts } from '../domain/factory/run-batch.ts'
import { readPassphraseFile } from '../server/passphrase.ts'
import { act, type Command, command, usageError, withPassphrase } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { OPERATOR } from './operator.ts'
import { facts, type Output } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'
import { progressBar } from './progress.ts'
import { systemClock } from './store.ts'

interface BatchOptions {
  readonly input: string
  readonly profile: string
  readonly output: string
  readonly model: string
  readonly certificateFiles?: boolean
  readonly format: string
  readonly generateKeys?: boolean
  readonly keyPassphraseFile?: string
}

export function batchCommand(): Command {
  const batch = command({
    name: 'batch',
    summary: 'Give every unit of a factory file its certificate',
    description:
      'Reads CSV (serial, and optionally model, csr, public_key; further columns become labels of the device), one serial\n' +
      'number a line, NDJSON, a PEM file, a folder or a .tar of CSRs or public keys. A unit that has its certificate keeps\n' +
      'it: running the same file again, also after a crash, completes the work and doubles nothing.\n\n' +
      'Writes results.csv with the certificates, rejects.csv, and manifest.json with its signature manifest.json.p7s; on\n' +
      'request certificates/SERIAL.pem.',
    examples: [
      ['batch --input units.csv --profile idevid --output out', 'Certificates for every line of units.csv'],
      [
        'batch --input units.csv --profile idevid --output out --certificate-files',
        'The same, and out/certificates/SERIAL.pem for each',
      ],
      [
        'batch --input serials.txt --profile idevid --output out --generate-keys --key-passphrase-file /run/secrets/line-3',
        'The station makes the keys and delivers them encrypted',
      ],
      [
        'batch --input csrs/ --model gateway-7 --profile idevid --output out --json',
        'A folder of CSRs; counts as JSON',
      ],
    ],
  })
    .requiredOption('-i, --input <path>', 'file or folder that names the units')
    .requiredOption('-p, --profile <name>', 'profile of the certificates')
    .requiredOption('-o, --output <folder>', 'folder for results; made where it is missing')
    .option('-m, --model <model>', 'model of units that name none', 'generic')
    .option('--format <form>', 'form of the table of results: csv or ndjson', 'csv')
    .option('--certificate-files', 'also a PEM file for each certificate, in OUTPUT/certificates')
    .option('--generate-keys', 'make keys for units that bring none, in OUTPUT/keys, encrypted')
    .option(
      '--key-passphrase-file <file>',
      'what those keys are encrypted under; without it one is made: OUTPUT/key-passphrase',
    )
  return act<BatchOptions>(withPassphrase(batch), async ({ out, data, options }) => {
    const [
      { openInstance },
      { openUnitSource },
      { openResultFolder },
      { runBatch },
      { signManifest },
      { checkpointSigner },
    ] = await Promise.all([
      import('../server/open-instance.ts'),
      import('../adapters/factory/read-units.ts'),
      import('../adapters/factory/result-folder.ts'),
      import('../domain/factory/run-batch.ts'),
      import('../domain/factory/batch-manifest.ts'),
      import('../server/checkpoint-signer.ts'),
    ])
    const { format } = options
    if (format !== 'csv' && format !== 'ndjson') throw usageError('--format is csv or ndjson.')
    await using instance = await openInstance(data, passphraseSources(options))
    const profile = await instance.authorities.profile(options.profile)
    const source = await openUnitSource(options.input, options.model)
    const keyPassphrase = options.generateKeys ? await keyPassphraseOf(options, out) : undefined
    await using folder = await openResultFolder(options.output, {
      certificateFiles: options.certificateFiles === true,
      format,
      ...(keyPassphrase === undefined ? {} : { keyPassphrase }),
    })
    // The same file for another profile or model is another batch.
    const inputDigest = createHash('sha256').update(`${source.digest}\n${profile.name}\n${options.model}`).digest('hex')
    const bar = progressBar(out, 'units')
    const started = performance.now()
    const outcome = await runBatch(
      {
        inputDigest,
        units: source.units(),
        profile,
        rules: await instance.rules(),
        operator: OPERATOR.id,
      },
      {
        ...instance,
        clock: systemClock,
        sink: folder,
        progress: counts => bar.update(total(counts), Math.max(source.expected ?? 0, total(counts))),
      },
    ).finally(() => bar.stop())
    const seconds = (performance.now() - started) / 1000
    const resultsSha256 = await folder.finish()
    const ports = { ...instance, clock: systemClock }
    await (await checkpointSigner(instance))()
    const checkpoint = (await instance.store.read.latestCheckpoint())?.note
    const said = { outcome, profile, inputSha256: source.digest, resultsSha256, checkpoint }
    const manifest = await signManifest(said, ports)
    await folder.file('manifest.json', manifest.text)
    await folder.file('manifest.json.p7s', manifest.signature)
    const { batch: id, issued, existing, rejected, resumed } = outcome
    const perSecond = Math.round(total(outcome) / Math.max(seconds, 0.001))
    out.result({ issued, existing, rejected, batch: id, resumed, seconds: Number(seconds.toFixed(3)), perSecond }, () =>
      facts([
        ['batch', `${id}${resumed ? ' (seen before)' : ''}`],
        ['issued', String(issued)],
        ['existing', String(existing)],
        ['rejected', rejected === 0 ? '0' : `${rejected}: see rejects.csv`],
        ['took', `${seconds.toFixed(1)} s, ${perSecond} units/s`],
        ['results', options.output],
      ]),
    )
    return rejected > 0 && issued + existing === 0 ? EXIT.no : EXIT.ok
  })
}

function total(counts: BatchCounts): number {
  return counts.issued + counts.existing + counts.rejected
}

/** From the file that was named; else from the output folder, where the first run puts a random one. */
async function keyPassphraseOf(options: BatchOptions, out: Output): Promise<string> {
  const named = options.keyPassphraseFile
  if (named !== undefined) return new TextDecoder().decode(await readPassphraseFile(named))
  const path = join(options.output, 'key-passphrase')
  const made = randomBytes(24).toString('base64url')
  await mkdir(options.output, { recursive: true })
  try {
    await writeFile(path, `${made}\n`, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    return (await readFile(path, 'utf8')).trim()
  }
  out.note(`The keys are encrypted under a passphrase that was made: ${path}. Send it by another way than the keys.`)
  return made
}
