// Whether and where traces go: what `touchmark.json` says, and where it says nothing, the environment variables that OpenTelemetry gives every
// program. A file that is wrong stops the start; a variable that was meant for all programs is a warning and no more.
import { randomUUID } from 'node:crypto'
import { httpAddress, type TracingConfiguration } from '../configuration.ts'

export interface TracingSettings {
  readonly endpoint: string
  /** From the environment; a secret of the configuration comes besides. */
  readonly headers: Readonly<Record<string, string>>
  readonly headersSecret: string | null
  readonly sampleRatio: number
  readonly followParent: boolean
  readonly resource: Readonly<Record<string, string>>
}

export type Environment = Readonly<Record<string, string | undefined>>

const SERVICE_NAME = 'touchmark'
const MAX_PAIRS = 64

/** `settings` `null`: nothing is traced. `warnings`: each one sentence. */
export function tracingSettings(
  configured: TracingConfiguration | null,
  environment: Environment,
  version: string,
): { readonly settings: TracingSettings | null; readonly warnings: readonly string[] } {
  const warnings: string[] = []
  const env = (name: string) => environment[name]?.trim() || undefined
  const off = env('OTEL_SDK_DISABLED')?.toLowerCase() === 'true' || env('OTEL_TRACES_EXPORTER') === 'none'
  const endpoint = off ? undefined : (configured?.endpoint ?? endpointOf(env, warnings))
  if (endpoint === undefined) return { settings: null, warnings }
  const sampler = samplerOf(env, warnings)
  const sampleRatio = configured?.sampleRatio ?? sampler.sampleRatio
  const followParent = configured?.followParent ?? sampler.followParent
  if (sampleRatio === 0 && !followParent) return { settings: null, warnings }
  const { 'service.name': named, ...resource } = pairs(env('OTEL_RESOURCE_ATTRIBUTES'))
  const headers = pairs(env('OTEL_EXPORTER_OTLP_TRACES_HEADERS') ?? env('OTEL_EXPORTER_OTLP_HEADERS'))
  return {
    settings: {
      endpoint,
      headers: usableHeaders(headers),
      headersSecret: configured?.headersSecret ?? null,
      sampleRatio,
      followParent,
      resource: {
        'service.instance.id': randomUUID(),
        ...resource,
        'service.name': configured?.serviceName ?? env('OTEL_SERVICE_NAME') ?? named ?? SERVICE_NAME,
        'service.version': version,
      },
    },
    warnings,
  }
}

/** `name=value,name=value` with values in percent encoding, as OpenTelemetry writes headers and attributes. What is no pair is left out. */
export function pairs(text: string | undefined): Record<string, string> {
  const found: Record<string, string> = {}
  for (const part of (text ?? '').split(',', MAX_PAIRS)) {
    const mark = part.indexOf('=')
    const name = part.slice(0, Math.max(mark, 0)).trim()
    const value = decoded(part.slice(mark + 1).trim())
    if (name !== '' && value !== undefined) found[name] = value
  }
  return found
}

/** Those that HTTP can carry. */
export function usableHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const usable = Object.entries(headers).filter(
    ([name, value]) => /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value),
  )
  return Object.fromEntries(usable.map(([name, value]) => [name.toLowerCase(), value]))
}

type Read = (name: string) => string | undefined

function endpointOf(env: Read, warnings: string[]): string | undefined {
  const own = env('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')
  const common = env('OTEL_EXPORTER_OTLP_ENDPOINT')
  const variable = own === undefined ? 'OTEL_EXPORTER_OTLP_ENDPOINT' : 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'
  const given = own ?? common
  if (given === undefined) return undefined
  const protocol = env('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') ?? env('OTEL_EXPORTER_OTLP_PROTOCOL')
  if (protocol === 'grpc') {
    warnings.push(
      `No traces are sent: ${variable} is meant for gRPC, and this program speaks OTLP over HTTP with JSON.`,
    )
    return undefined
  }
  if (httpAddress(given) === undefined) {
    warnings.push(`No traces are sent: ${variable} is not an address like http://127.0.0.1:4318.`)
    return undefined
  }
  if (own !== undefined) return given
  const base = new URL(given)
  base.pathname = `${base.pathname.replace(/\/$/, '')}/v1/traces`
  return base.href
}

const SAMPLERS: Readonly<Record<string, { readonly followParent: boolean; readonly ratio: number | 'argument' }>> = {
  always_on: { followParent: false, ratio: 1 },
  always_off: { followParent: false, ratio: 0 },
  traceidratio: { followParent: false, ratio: 'argument' },
  parentbased_always_on: { followParent: true, ratio: 1 },
  parentbased_always_off: { followParent: true, ratio: 0 },
  parentbased_traceidratio: { followParent: true, ratio: 'argument' },
}

/** Without the variable all is traced, and callers decide nothing: they are strangers here. */
function samplerOf(env: Read, warnings: string[]): Pick<TracingSettings, 'sampleRatio' | 'followParent'> {
  const name = env('OTEL_TRACES_SAMPLER') ?? 'always_on'
  const sampler = Object.hasOwn(SAMPLERS, name) ? SAMPLERS[name] : undefined
  if (sampler === undefined) {
    warnings.push(`OTEL_TRACES_SAMPLER names a sampler that this program does not know; everything is traced.`)
    return { sampleRatio: 1, followParent: false }
  }
  const { followParent, ratio } = sampler
  if (ratio !== 'argument') return { sampleRatio: ratio, followParent }
  const argument = Number(env('OTEL_TRACES_SAMPLER_ARG') ?? 1)
  if (argument >= 0 && argument <= 1) return { sampleRatio: argument, followParent }
  warnings.push('OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1; everything is traced.')
  return { sampleRatio: 1, followParent }
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}
