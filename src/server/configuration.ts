// `touchmark.json`: read once, checked whole, then frozen. Every problem is reported together, each with its path, so that a
// person repairs a file in one go. Written by hand rather than with a schema library: every command reads it, and it has
// ten fields.
import { isAbsolute } from 'node:path'
import { TouchmarkError } from '../core/errors.ts'
import { type AdmissionLimits, DEFAULT_ADMISSION } from './admission.ts'
import type { CrlOutlet } from './crl-outlets.ts'

/**
 * What the process needs to know before it opens anything. What certificates say (the organization, where CRLs are had) is not here:
 * it is the settings document of the store, versioned and audited.
 */
export interface Configuration {
  /** The layout of this file; a newer program reads older ones. */
  readonly version: 1
  readonly listen: {
    /** Address to bind. `127.0.0.1` until somebody decides otherwise. */
    readonly host: string
    readonly httpsPort: number
    /** CRLs, OCSP and authority certificates, without TLS (RFC 5280 §8). */
    readonly httpPort: number
  }
  /** Where devices reach EST and the rest; its host name stands in the server's certificate. */
  readonly publicUrl: string
  /** `sqlite:FILE` (relative to the data folder) or `postgres://…`. */
  readonly store: string
  readonly log: {
    /** First line of every checkpoint: names this log among all others for good (C2SP tlog-checkpoint). */
    readonly origin: string
    /** Keys that sign its checkpoints, as C2SP signed-note writes them. More than one after the key was changed. */
    readonly verifierKeys: readonly string[]
  }
  /** How much the server takes on at once; what the file leaves out is as the program thinks best. */
  readonly admission: AdmissionLimits
  /** Where metrics and health are had, over plain HTTP; `null`: nowhere. */
  readonly metrics: MetricsListener | null
  /** Where traces are sent, and which; `null`: the file says nothing of it. The standard environment variables fill what it leaves out. */
  readonly tracing: TracingConfiguration | null
  /** Where CRLs are put besides being served: folders and commands. */
  readonly crlOutlets: readonly CrlOutlet[]
}

export interface MetricsListener {
  /** `127.0.0.1` where the file names none. */
  readonly host: string
  readonly port: number
}

/** `undefined`: the file says nothing of it. */
export interface TracingConfiguration {
  /** Whole, as OTLP over HTTP wants it: `https://collector.example:4318/v1/traces`. */
  readonly endpoint?: string
  /** Name of a file in `secrets/` with headers for the collector, `name=value,name=value`. */
  readonly headersSecret?: string
  /** 0 to 1. */
  readonly sampleRatio?: number
  /** Whether a caller decides about the traces that it began. */
  readonly followParent?: boolean
  readonly serviceName?: string
}

export interface ConfigurationProblem {
  /** `listen.httpPort` */
  readonly path: string
  readonly problem: string
}

export interface NewConfiguration {
  readonly log: Configuration['log']
  readonly publicUrl?: string
  readonly store?: string
}

export const DEFAULT_STORE = 'sqlite:touchmark.db'
export const DEFAULT_PUBLIC_URL = 'https://localhost:8443'

/** What `init` writes. Throws `configuration.invalid`. */
export function newConfiguration(chosen: NewConfiguration): Configuration {
  return checkConfiguration({
    version: 1,
    listen: { host: '127.0.0.1', httpsPort: 8443, httpPort: 8080 },
    publicUrl: chosen.publicUrl ?? DEFAULT_PUBLIC_URL,
    store: chosen.store ?? DEFAULT_STORE,
    log: chosen.log,
  })
}

/** Parses the file's text. Throws `configuration.invalid`, whose message lists every problem with its path. */
export function parseConfiguration(text: string): Configuration {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw invalid([{ path: '(file)', problem: `is not JSON: ${(cause as Error).message}` }])
  }
  return checkConfiguration(json)
}

export function checkConfiguration(json: unknown): Configuration {
  const problems: ConfigurationProblem[] = []
  const root = section(
    json,
    '',
    ['version', 'listen', 'publicUrl', 'store', 'log', 'admission', 'metrics', 'tracing', 'crlOutlets'],
    problems,
  )
  const listen = root && section(root['listen'], 'listen', ['host', 'httpsPort', 'httpPort'], problems)
  const log = root && section(root['log'], 'log', ['origin', 'verifierKeys'], problems)
  const checked = {
    version: pick(root, '', 'version', problems, value => (value === 1 ? 1 : undefined), 'must be 1'),
    listen: {
      host: pick(listen, 'listen', 'host', problems, hostName, 'must be a host name or an IP address'),
      httpsPort: pick(listen, 'listen', 'httpsPort', problems, port, 'must be a port, 0 to 65535'),
      httpPort: pick(listen, 'listen', 'httpPort', problems, port, 'must be a port, 0 to 65535'),
    },
    publicUrl: pick(root, '', 'publicUrl', problems, httpsOrigin, 'must be https://HOST[:PORT] without a path'),
    store: pick(root, '', 'store', problems, storeUrl, 'must be sqlite:FILE or postgres://…'),
    log: {
      origin: pick(
        log,
        'log',
        'origin',
        problems,
        logOrigin,
        'must be a name without spaces or "+", like example.com/log',
      ),
      verifierKeys: pick(log, 'log', 'verifierKeys', problems, textList, 'must be a list of verifier keys'),
    },
    admission: admissionLimits(root?.['admission'], problems),
    metrics: metricsListener(root?.['metrics'], problems),
    tracing: tracing(root?.['tracing'], problems),
    crlOutlets: crlOutlets(root?.['crlOutlets'], problems),
  }
  if (problems.length > 0) throw invalid(problems)
  return deepFreeze(checked as Configuration)
}

function metricsListener(given: unknown, problems: ConfigurationProblem[]): MetricsListener | null | undefined {
  if (given === undefined || given === null) return null
  const from = section(given, 'metrics', ['host', 'port'], problems)
  const named = pick(from, 'metrics', 'port', problems, port, 'must be a port, 0 to 65535')
  const host =
    from?.['host'] === undefined
      ? '127.0.0.1'
      : pick(from, 'metrics', 'host', problems, hostName, 'must be a host name or an IP address')
  return named === undefined || host === undefined ? undefined : { host, port: named }
}

function tracing(given: unknown, problems: ConfigurationProblem[]): TracingConfiguration | null | undefined {
  if (given === undefined || given === null) return null
  const known = ['endpoint', 'headersSecret', 'sampleRatio', 'followParent', 'serviceName']
  const from = section(given, 'tracing', known, problems)
  if (from === undefined) return undefined
  const may = <T>(key: string, read: (value: unknown) => T | undefined, rule: string) => {
    if (from[key] === undefined) return {}
    return { [key]: pick(from, 'tracing', key, problems, read, rule) }
  }
  return {
    ...may(
      'endpoint',
      httpAddress,
      'must be http://… or https://… without a user, like http://127.0.0.1:4318/v1/traces',
    ),
    ...may('headersSecret', secretName, 'must be the name of a file in the folder secrets/'),
    ...may('sampleRatio', share, 'must be a number, 0 to 1'),
    ...may('followParent', truth, 'must be true or false'),
    ...may('serviceName', serviceName, 'must be a text of 1 to 100 characters'),
  }
}

/** A command that says nothing of its time has a minute. */
const COMMAND_SECONDS = 60

function crlOutlets(given: unknown, problems: ConfigurationProblem[]): readonly CrlOutlet[] | undefined {
  if (given === undefined) return []
  if (!Array.isArray(given) || given.length > 16) {
    problems.push({ path: 'crlOutlets', problem: 'must be a list of at most 16 outlets' })
    return undefined
  }
  const outlets = given.map((each: unknown, i): CrlOutlet | undefined => {
    const path = `crlOutlets.${i}`
    const from = section(each, path, ['folder', 'command', 'timeoutSeconds'], problems)
    if (from === undefined) return undefined
    if ((from['folder'] === undefined) === (from['command'] === undefined)) {
      problems.push({ path, problem: 'must have either a folder or a command' })
      return undefined
    }
    if (from['folder'] !== undefined) {
      const folder = pick(from, path, 'folder', problems, absolutePath, 'must be an absolute path')
      return folder === undefined ? undefined : { folder }
    }
    const command = pick(from, path, 'command', problems, textList, 'must be a list: the program and its arguments')
    const seconds = from['timeoutSeconds'] ?? COMMAND_SECONDS
    const timeoutSeconds = pick({ seconds }, path, 'seconds', problems, time, 'must be whole seconds, 1 to 3600')
    if (command === undefined || timeoutSeconds === undefined) return undefined
    return { command: command as [string, ...string[]], timeoutSeconds }
  })
  return outlets.every(outlet => outlet !== undefined) ? outlets : undefined
}

function admissionLimits(given: unknown, problems: ConfigurationProblem[]): AdmissionLimits | undefined {
  if (given === undefined) return DEFAULT_ADMISSION
  const names = Object.keys(DEFAULT_ADMISSION) as (keyof AdmissionLimits)[]
  const from = section(given, 'admission', names, problems)
  const chosen = names.map(name => {
    if (from?.[name] === undefined) return [name, DEFAULT_ADMISSION[name]]
    return [name, pick(from, 'admission', name, problems, count, 'must be an integer, 1 to 1000000')]
  })
  return Object.fromEntries(chosen) as AdmissionLimits
}

/** `undefined`: was reported already, and so are its members. */
type Section = Readonly<Record<string, unknown>> | undefined

function section(value: unknown, path: string, known: readonly string[], problems: ConfigurationProblem[]): Section {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    problems.push({ path: path || '(file)', problem: value === undefined ? 'is missing' : 'must be an object' })
    return undefined
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key))
      problems.push({ path: join(path, key), problem: `is not a setting; known here: ${known.join(', ')}` })
  }
  return value as Section
}

function pick<T>(
  from: Section,
  path: string,
  key: string,
  problems: ConfigurationProblem[],
  read: (value: unknown) => T | undefined,
  rule: string,
): T | undefined {
  if (from === undefined) return undefined
  const value = from[key]
  const result = value === undefined ? undefined : read(value)
  if (result === undefined) problems.push({ path: join(path, key), problem: value === undefined ? 'is missing' : rule })
  return result
}

const join = (path: string, key: string) => (path ? `${path}.${key}` : key)

const hostName = (value: unknown) =>
  typeof value === 'string' && /^[A-Za-z0-9.:_-]{1,253}$/.test(value) ? value : undefined
const port = (value: unknown) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535 ? value : undefined
const count = (value: unknown) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 1_000_000 ? value : undefined
const time = (value: unknown) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 3600 ? value : undefined
const share = (value: unknown) => (typeof value === 'number' && value >= 0 && value <= 1 ? value : undefined)
const truth = (value: unknown) => (typeof value === 'boolean' ? value : undefined)
const secretName = (value: unknown) =>
  typeof value === 'string' && /^[a-z0-9][a-z0-9._-]{0,63}$/.test(value) ? value : undefined
const serviceName = (value: unknown) =>
  typeof value === 'string' && /^[^\p{C}]{1,100}$/u.test(value) ? value : undefined
const absolutePath = (value: unknown) =>
  typeof value === 'string' && isAbsolute(value) && !value.includes('\0') ? value : undefined
const storeUrl = (value: unknown) =>
  typeof value === 'string' && /^(sqlite:.+|postgres(ql)?:\/\/.+)$/.test(value) ? value : undefined
const logOrigin = (value: unknown) =>
  typeof value === 'string' && /^[^\s+\p{C}]{1,200}$/u.test(value) ? value : undefined
const textList = (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every(each => typeof each === 'string' && each !== '')
    ? (value as string[])
    : undefined
const httpsOrigin = (value: unknown) => {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined
  const url = new URL(value)
  return url.protocol === 'https:' && (value === url.origin || value === `${url.origin}/`) ? url.origin : undefined
}

/** An address to post to. A password has no place in it: it would stand in a file that is shown. */
export const httpAddress = (value: unknown) => {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined
  const { protocol, username, password } = new URL(value)
  return /^https?:$/.test(protocol) && username === '' && password === '' ? value : undefined
}

function invalid(problems: readonly ConfigurationProblem[]): TouchmarkError {
  const lines = problems.map(({ path, problem }) => `  ${path} ${problem}`)
  return new TouchmarkError(
    'configuration.invalid',
    'malformed',
    `touchmark.json cannot be used:\n${lines.join('\n')}`,
    {
      next: 'Correct the file; nothing was changed.',
      evidence: { problems: problems.length },
    },
  )
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) deepFreeze(child)
  return Object.freeze(value)
}
