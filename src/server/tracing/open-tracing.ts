// Traces, where somebody configured a place for them. Nothing else of tracing is loaded where nobody did.
import { systemRandom } from '../../crypto/random.ts'
import { channelSecrets } from '../channel-secrets.ts'
import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import type { Instance } from '../open-instance.ts'
import { packageVersion } from '../package-version.ts'
import type { OtlpExporter } from './otlp-exporter.ts'
import type { Tracer } from './tracer.ts'
import { type Environment, pairs, tracingSettings, usableHeaders } from './tracing-settings.ts'

export interface Tracing {
  readonly tracer: Tracer
  /** Disposed of last: it sends what the end of everything else leaves. */
  readonly exporter: OtlpExporter
}

/** `undefined`: nothing is to be traced. Adds to `warnings` what of the environment cannot be followed. */
export async function openTracing(
  { configuration, folder }: Pick<Instance, 'configuration' | 'folder'>,
  environment: Environment,
  ports: { readonly logger: Logger; readonly metrics: Pick<Metrics, 'spans'>; readonly warnings: string[] },
): Promise<Tracing | undefined> {
  const version = packageVersion()
  const { settings, warnings } = tracingSettings(configuration.tracing, environment, version)
  ports.warnings.push(...warnings)
  if (settings === null) return undefined
  const { logger, metrics } = ports
  const [{ OtlpExporter }, { Tracer }] = await Promise.all([import('./otlp-exporter.ts'), import('./tracer.ts')])
  const { endpoint, headersSecret, sampleRatio, followParent, resource } = settings
  const secrets = channelSecrets(folder)
  const exporter = new OtlpExporter({
    url: endpoint,
    headers: async () => ({
      ...settings.headers,
      ...(headersSecret === null ? {} : usableHeaders(pairs(await secrets(headersSecret)))),
    }),
    resource,
    scope: { name: 'touchmark', version },
    logger,
    counted: (outcome, spans) => metrics.spans(outcome, spans),
  })
  const tracer = new Tracer({
    sampleRatio,
    followParent,
    random: systemRandom,
    take: span => exporter.take(span),
    dropped: spans => metrics.spans('trace_full', spans),
  })
  // The host is enough: some services have a key in the path.
  logger.info('tracing.on', { collector: new URL(endpoint).origin, sampleRatio, followParent })
  return { tracer, exporter }
}
