// `touchmark.json`: read once, checked whole, then frozen. Every problem is reported together, each with its path, so that a
// person repairs a file in one go. Written by hand rather than with a schema library: every command reads it, and it has
// ten fields.
import { TouchmarkError } from '../core/errors.ts'

/** What the process needs to know before it opens anything. */
export interface Configuration {
  /** The layout of this file; a newer program reads older ones. */
  readonly version: 1
  /** Who runs this instance: stands in the names of its authorities. */
  readonly organization: string
  readonly listen: {
    /** Address to bind. `127.0.0.1` until somebody decides otherwise. */
    readonly host: string
    readonly httpsPort: number
    readonly httpPort: number
  }
  readonly publicUrl: {
    /** Where devices reach EST and the rest; its host name stands in the server's certificate. */
    readonly https: string
    /** Where relying parties fetch CRLs, OCSP answers and authority certificates: plain HTTP (RFC 5280 §8). */
    readonly http: string
  }
  /** `sqlite:FILE` (relative to the data folder) or `postgres://…`. */
  readonly store: string
  readonly log: {
    /** First line of every checkpoint: names this log among all others for good (C2SP tlog-checkpoint). */
    readonly origin: string
  }
}

export interface ConfigurationProblem {
  /** `listen.httpPort` */
  readonly path: string
  readonly problem: string
}

export interface NewConfiguration {
  readonly organization: string
  readonly logOrigin: string
  readonly store?: string
}

export const DEFAULT_STORE = 'sqlite:touchmark.db'

/** What `init` writes. */
export function newConfiguration(chosen: NewConfiguration): Configuration {
  return checkConfiguration({
    version: 1,
    organization: chosen.organization,
    listen: { host: '127.0.0.1', httpsPort: 8443, httpPort: 8080 },
    publicUrl: { https: 'https://localhost:8443', http: 'http://localhost:8080' },
    store: chosen.store ?? DEFAULT_STORE,
    log: { origin: chosen.logOrigin },
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
  const root = section(json, '', ['version', 'organization', 'listen', 'publicUrl', 'store', 'log'], problems)
  const listen = root && section(root['listen'], 'listen', ['host', 'httpsPort', 'httpPort'], problems)
  const publicUrl = root && section(root['publicUrl'], 'publicUrl', ['https', 'http'], problems)
  const log = root && section(root['log'], 'log', ['origin'], problems)
  const checked = {
    version: pick(root, '', 'version', problems, value => (value === 1 ? 1 : undefined), 'must be 1'),
    organization: pick(root, '', 'organization', problems, organizationName, 'must be 1 to 64 printable characters'),
    listen: {
      host: pick(listen, 'listen', 'host', problems, hostName, 'must be a host name or an IP address'),
      httpsPort: pick(listen, 'listen', 'httpsPort', problems, port, 'must be a port, 0 to 65535'),
      httpPort: pick(listen, 'listen', 'httpPort', problems, port, 'must be a port, 0 to 65535'),
    },
    publicUrl: {
      https: pick(
        publicUrl,
        'publicUrl',
        'https',
        problems,
        origin('https:'),
        'must be https://HOST[:PORT] without a path',
      ),
      http: pick(
        publicUrl,
        'publicUrl',
        'http',
        problems,
        origin('http:'),
        'must be http://HOST[:PORT] without a path',
      ),
    },
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
    },
  }
  if (problems.length > 0) throw invalid(problems)
  return deepFreeze(checked as Configuration)
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

/** Fits organizationName of X.520 (64 characters), and nothing that breaks a line. */
const organizationName = (value: unknown) =>
  typeof value === 'string' && value.trim() === value && /^[^\p{C}]{1,64}$/u.test(value) ? value : undefined
const hostName = (value: unknown) =>
  typeof value === 'string' && /^[A-Za-z0-9.:_-]{1,253}$/.test(value) ? value : undefined
const port = (value: unknown) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65535 ? value : undefined
const storeUrl = (value: unknown) =>
  typeof value === 'string' && /^(sqlite:.+|postgres(ql)?:\/\/.+)$/.test(value) ? value : undefined
const logOrigin = (value: unknown) =>
  typeof value === 'string' && /^[^\s+\p{C}]{1,200}$/u.test(value) ? value : undefined
const origin = (protocol: 'http:' | 'https:') => (value: unknown) => {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined
  const url = new URL(value)
  return url.protocol === protocol && (value === url.origin || value === `${url.origin}/`) ? url.origin : undefined
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
