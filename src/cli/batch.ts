// `touchmark batch`: birth certificates for every unit of a factory's file. May be stopped and run again at any time: units that
// have their certificate get that very one.
import { createHash } from 'node:crypto'
import type { BatchCounts } from '../domain/factory/run-batch.ts'
import { act, type Command, command, withPassphrase } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { OPERATOR } from './operator.ts'
import { facts } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'
import { progressBar } from './progress.ts'
import { systemClock } from './store.ts'

interface BatchOptions {
  readonly input: string
  readonly profile: string
  readonly output: string
  readonly model: string
  readonly certificateFiles: boolean
}

export function batchCommand(): Command {
  const batch = command({
    name: 'batch',
    summary: 'Give every unit of a factory file its certificate',
    description:
      'Reads CSV (serial, and optionally model, csr, publickey), one serial number a line, NDJSON, a PEM file, a folder or a\n' +
      '.tar of CSRs or public keys. A unit without a key gets one made here, in OUTPUT/keys. A unit that has its certificate\n' +
      'keeps it: running the same file again, also after a crash, completes the work and doubles nothing.\n\n' +
      'Writes results.csv, certificates/SERIAL.pem, and manifest.json with its signature manifest.json.p7s.',
    examples: [
      ['batch --input units.csv --profile idevid --output out', 'Certificates for every line of units.csv'],
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
    .option('--no-certificate-files', 'certificates in results.csv only: quicker for very large batches')
  return act<BatchOptions>(withPassphrase(batch), async ({ out, data, options }) => {
    const [{ openInstance }, { openUnitSource }, { openResultFolder }, { runBatch }, { signManifest }] =
      await Promise.all([
        import('../server/open-instance.ts'),
        import('../adapters/factory/read-units.ts'),
        import('../adapters/factory/result-folder.ts'),
        import('../domain/factory/run-batch.ts'),
        import('../domain/factory/batch-manifest.ts'),
      ])
    await using instance = await openInstance(data, passphraseSources(options))
    const profile = await instance.authorities.profile(options.profile)
    const source = await openUnitSource(options.input, options.model)
    await using folder = await openResultFolder(options.output, { certificateFiles: options.certificateFiles })
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
    const manifest = await signManifest({ outcome, profile, inputSha256: source.digest, resultsSha256 }, ports)
    await folder.file('manifest.json', manifest.text)
    await folder.file('manifest.json.p7s', manifest.signature)
    const { batch: id, issued, existing, rejected, resumed } = outcome
    const perSecond = Math.round(total(outcome) / Math.max(seconds, 0.001))
    out.result({ issued, existing, rejected, batch: id, resumed, seconds: Number(seconds.toFixed(3)), perSecond }, () =>
      facts([
        ['batch', `${id}${resumed ? ' (seen before)' : ''}`],
        ['issued', String(issued)],
        ['existing', String(existing)],
        ['rejected', rejected === 0 ? '0' : `${rejected}: see the column "code" in results.csv`],
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
