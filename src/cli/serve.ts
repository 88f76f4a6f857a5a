// `touchmark serve`: runs the server until it is told to stop. With --json the only thing on standard output is one line when it
// listens; log lines go to standard error in any case.
import { once } from 'node:events'
import { act, type Command, command, portNumber, withPassphrase } from './command.ts'
import { facts } from './output.ts'
import { passphraseSources } from './passphrase-sources.ts'

interface ServeOptions {
  readonly host?: string
  readonly port?: number
  readonly httpPort?: number
  readonly metricsPort?: number
}

export function serveCommand(): Command {
  const serve = withPassphrase(
    command({
      name: 'serve',
      summary: 'Run the server',
      description:
        'EST over HTTPS, CRLs, OCSP and the log over plain HTTP. Stops in good order on SIGTERM and Ctrl-C.\n' +
        'With --json, standard output gets one line when the server listens: {"ready":true,"url":…,"httpUrl":…}.',
      examples: [
        ['serve --data ./acme', 'On the ports of touchmark.json, 8443 and 8080 unless changed'],
        ['serve --data ./acme --port 0 --json', 'On a free port, for scripts'],
        ['serve --data ./acme --host 0.0.0.0', 'For the whole network'],
      ],
    }),
  )
    .option('--host <address>', 'address to listen on (default: listen.host of touchmark.json)')
    .option('--port <port>', 'HTTPS port; 0 takes a free one', portNumber)
    .option('--http-port <port>', 'plain HTTP port; must be free when given', portNumber)
    .option('--metrics-port <port>', 'metrics and health on 127.0.0.1, or where the configuration says', portNumber)
  return act<ServeOptions>(serve, async ({ out, data, options, signal }) => {
    const [{ openInstance }, { startServer }, { jsonLogger }] = await Promise.all([
      import('../server/open-instance.ts'),
      import('../server/wiring.ts'),
      import('../server/logger.ts'),
    ])
    const { warningsOf } = await import('../server/warnings.ts')
    await using instance = await openInstance(data, passphraseSources(options))
    await using server = await startServer(instance, {
      logger: jsonLogger(line => process.stderr.write(line)),
      ...(options.host === undefined ? {} : { host: options.host }),
      ...(options.port === undefined ? {} : { httpsPort: options.port }),
      ...(options.httpPort === undefined ? {} : { httpPort: options.httpPort }),
      ...(options.metricsPort === undefined ? {} : { metricsPort: options.metricsPort }),
    })
    const { url, httpUrl, metricsUrl, firstSignIn } = server
    const warnings = [...warningsOf(data, instance.passphraseSource), ...server.warnings]
    const ready = {
      ready: true,
      url,
      httpUrl,
      ...(metricsUrl === null ? {} : { metricsUrl }),
      ...(firstSignIn === null ? {} : { firstSignIn }),
      warnings,
    }
    out.result(ready, () =>
      [
        facts([
          ['Touchmark', data.path],
          ['console', url],
          ['EST', `${url}/.well-known/est`],
          ['CRL, OCSP', httpUrl],
          ['log', `${url}/log/checkpoint`],
          ...(metricsUrl === null ? [] : [['metrics', metricsUrl] as const]),
        ]),
        ...(firstSignIn === null ? [] : [FIRST_SIGN_IN, firstSignIn]),
        ...warnings.map(warning => out.style('yellow', `! ${warning}`)),
        'Ctrl-C stops it.',
      ].join('\n'),
    )
    if (!signal.aborted) await once(signal, 'abort')
  })
}

export const FIRST_SIGN_IN =
  'There is no operator yet. Sign in here to be the first administrator; the link works once, within a day:'
