// `touchmark init`: an instance in a new data folder.
import { existsSync } from 'node:fs'
import { DEFAULT_PUBLIC_URL, DEFAULT_STORE } from '../server/configuration.ts'
import type { Passphrase } from '../server/passphrase.ts'
import { act, type Command, type Context, command, usageError, withPassphrase } from './command.ts'
import { newPassphrase } from './new-passphrase.ts'
import { OPERATOR } from './operator.ts'
import { facts } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'
import { systemClock } from './store.ts'

export interface InitOptions {
  readonly organization: string
  readonly publicUrl?: string
  readonly publicHttpUrl?: string
  readonly store?: string
  readonly rootAlgorithm?: string
  readonly issuingAlgorithm?: string
  readonly crlShards?: string
}

export const DEFAULT_PUBLIC_HTTP_URL = 'http://localhost:8080'

export function initCommand(): Command {
  const init = withPassphrase(
    command({
      name: 'init',
      summary: 'Make a data folder with a hierarchy of authorities',
      description:
        'A root, and under it issuing authorities for birth certificates (IDevID), operational ones (LDevID) and the\n' +
        "platform's own services, with profiles and registration rules. The root's encrypted key lies alone in the\n" +
        'folder offline-root: move it away, no server needs it.',
      examples: [
        ['init --data ./acme --organization "Acme Devices"', 'Asks for a passphrase'],
        ['init --data ./acme --organization "Acme Devices" --passphrase-file /run/secrets/touchmark', 'For scripts'],
        [
          'init --organization Acme --public-url https://est.acme.example --public-http-url http://pki.acme.example',
          'The addresses that devices and relying parties will use',
        ],
      ],
    }).requiredOption('--organization <name>', 'the maker: stands in every name'),
  )
    .option('--public-url <url>', `where devices reach the server (default ${DEFAULT_PUBLIC_URL})`)
    .option(
      '--public-http-url <url>',
      `where CRLs, OCSP and CA certificates are had; fixed into every certificate (default ${DEFAULT_PUBLIC_HTTP_URL})`,
    )
    .option(
      '--store <url>',
      `sqlite:FILE or postgres://USER@HOST/NAME (default ${DEFAULT_STORE}); a password stays out of it: PGPASSWORD, or ~/.pgpass`,
    )
    .option('--root-algorithm <name>', 'algorithm of the root (default P-384)')
    .option('--issuing-algorithm <name>', 'algorithm of the issuing authorities (default P-256)')
    .option('--crl-shards <count>', 'CRLs over which device certificates are spread (default 1)')
  return act<InitOptions>(init, async context => {
    const { out, data, options } = context
    const [{ initialise }, { isKeyAlgorithmName }] = await Promise.all([
      import('../server/initialise.ts'),
      import('../crypto/algorithms.ts'),
    ])
    const algorithm = (name: string | undefined) => {
      if (name === undefined || isKeyAlgorithmName(name)) return name
      throw usageError(`${name} is no key algorithm.`)
    }
    const rootAlgorithm = algorithm(options.rootAlgorithm)
    const issuingAlgorithm = algorithm(options.issuingAlgorithm)
    const passphrase = await choosePassphrase(context)
    const made = await initialise(data, {
      organization: options.organization,
      publicHttpUrl: (options.publicHttpUrl ?? DEFAULT_PUBLIC_HTTP_URL).replace(/\/$/, ''),
      passphrase,
      clock: systemClock,
      actor: OPERATOR,
      ...(options.publicUrl === undefined ? {} : { publicUrl: options.publicUrl }),
      ...(options.store === undefined ? {} : { store: options.store }),
      ...(rootAlgorithm && { rootAlgorithm }),
      ...(issuingAlgorithm && { issuingAlgorithm }),
      ...(options.crlShards === undefined ? {} : { crlShards: Number(options.crlShards) }),
    })
    const authorities = Object.values(made.hierarchy).map(({ id, kind }) => ({ id, kind }))
    const { configuration, passphraseFile } = made
    out.result(
      {
        data: data.path,
        organization: options.organization,
        authorities,
        offlineRoot: data.offlineRoot,
        passphraseFile,
        log: configuration.log,
      },
      () =>
        facts([
          ['instance', data.path],
          ['authorities', authorities.map(({ id, kind }) => `${id} (${kind})`).join('\n')],
          [
            'root key',
            `${data.offlineRoot}\nMove this folder away now, to a place without network; no server needs it.`,
          ],
          [
            'passphrase',
            passphraseFile
              ? `${passphraseFile}\nNobody gave one, so it was made and lies beside the keys that it protects.\nThat is for trying things out: whoever reads this folder has the keys.`
              : 'the one that you gave; without it the keys are lost',
          ],
          ['next', `touchmark serve --data ${data.path}`],
        ]),
    )
  })
}

/** `undefined` where there is no file and nobody to ask: then one is made. */
async function choosePassphrase({ options, data, out }: Context<InitOptions>): Promise<Passphrase | undefined> {
  const { file, ask } = passphraseSources(options)
  if (file === undefined && (!ask || existsSync(data.configurationFile))) return undefined
  return newPassphrase(file, out)
}
