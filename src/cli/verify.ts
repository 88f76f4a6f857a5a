// `touchmark verify`: is this certificate good right now, and why.
import { InvalidArgumentError } from 'commander'
import type { Certificate } from '../core/pki/certificate.ts'
import type { PathPurpose } from '../core/pki/path-check.ts'
import type { ReferenceIdentifier } from '../core/pki/service-identity.ts'
import type { UnixSeconds } from '../domain/ids.ts'
import { parseInstant } from '../domain/parse-instant.ts'
import type { StatusSource } from '../domain/verdict/status-evidence.ts'
import type { Verdict, VerdictQuestion } from '../domain/verdict/verdict.ts'
import { type DataFolder, isInitialised } from '../server/data-folder.ts'
import { act, type Command, command, usageError } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { timestamp } from './output.ts'
import { systemClock, withStore } from './store.ts'

interface VerifyOptions {
  readonly ndjson?: boolean
  readonly at?: UnixSeconds
  readonly purpose?: PathPurpose
  readonly name?: ReferenceIdentifier
  readonly trust?: readonly string[]
  readonly maker?: string
  readonly crl?: readonly string[]
  readonly ocsp?: readonly string[]
  readonly statusArtefact?: readonly string[]
}

export function verifyCommand(): Command {
  const verify = command({
    name: 'verify',
    summary: 'Say whether a certificate is good right now, and why',
    description:
      'The first certificate is the one in question; the others stand by to make the path. Without --trust it is judged against our own\n' +
      'hierarchy, and the registry says how it stands. Exit code 0: good; 1: not good.',
    examples: [
      ['verify device.pem', 'A certificate of ours: path, status, device, key'],
      ['verify server.pem chain.pem --trust roots.pem --purpose server --name dns:gateway.example', 'A foreign one'],
      ['verify server.pem --trust roots.pem --crl ca.crl', 'Its status from a CRL; --ocsp takes a stored response'],
      ['verify --ndjson < cases.ndjson', 'One case a line, one answer a line; needs no data folder'],
    ],
  })
    .argument('[files...]', 'PEM or DER; - reads standard input')
    .option('--at <time>', 'judge as of this time: 2026-01-31T12:00:00Z', instant)
    .option('--purpose <purpose>', 'client, server, code or ocsp', purpose)
    .option('--name <kind:value>', 'what it has to be for: dns:HOST, ip:ADDRESS or email:MAILBOX', reference)
    .option('--trust <file>', 'trust these anchors in place of ours; may be repeated', repeated)
    .option('--maker <name>', 'trust the anchors of this maker, as touchmark trust list names them')
    .option('--crl <file>', 'a CRL; with any, every status has to be known; may be repeated', repeated)
    .option('--ocsp <file>', 'a stored OCSP response in DER; may be repeated', repeated)
    .option('--status-artefact <file>', 'a compact status artefact; may be repeated', repeated)
    .option('--ndjson', 'judge one case a line of standard input')
  return act<VerifyOptions>(verify, async ({ out, data, options, signal }, ...args) => {
    const files = args.flat()
    if (options.ndjson) {
      if (files.length > 0) throw usageError('With --ndjson the cases come on standard input.')
      const { verifyLines } = await import('./verify-lines.ts')
      await verifyLines(process.stdin, process.stdout, signal)
      return EXIT.ok
    }
    if (files.length === 0) throw usageError('Name the file of a certificate.', 'touchmark verify device.pem')
    if (options.trust && options.maker) throw usageError('Name --trust or --maker, not both.')
    const question = await readFiles(files, options)
    const verdict = await judge(question, options, data)
    const { verdictView } = await import('../domain/verdict/verdict-view.ts')
    out.result(verdictView(verdict), () => words(verdict, (style, text) => out.style(style, text)))
    return verdict.good ? EXIT.ok : EXIT.no
  })
}

const CERTIFICATES = ['CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE']

async function readFiles(files: readonly string[], options: VerifyOptions): Promise<VerdictQuestion> {
  const [{ readPkiFile }, { parseCertificate }, { parseCertificateList }, { parseOcspResponse }] = await Promise.all([
    import('./pki-files.ts'),
    import('../core/pki/certificate.ts'),
    import('../core/pki/crl.ts'),
    import('../core/pki/ocsp.ts'),
  ])
  const all = async <T>(
    paths: readonly string[],
    what: string,
    labels: readonly string[],
    parse: (der: Uint8Array) => T,
  ) => (await Promise.all(paths.map(path => readPkiFile(path, what, labels, parse)))).flat()
  const [leaf, ...intermediates] = await all(files, 'certificate', CERTIFICATES, parseCertificate)
  const responses = await all(options.ocsp ?? [], 'OCSP response', ['OCSP RESPONSE'], parseOcspResponse)
  const crls = await all(options.crl ?? [], 'CRL', ['X509 CRL', 'CRL'], parseCertificateList)
  const refused = responses.find(each => each.basic === undefined)
  if (refused) throw usageError(`The OCSP response says nothing but ${refused.responseStatus}.`)
  const anchors = options.trust && (await readAnchors(options.trust, parseCertificate))
  const sources = await readArtefacts(options.statusArtefact ?? [])
  return {
    leaf: leaf!,
    intermediates,
    trust: anchors ? { anchors } : options.maker ? { maker: options.maker } : 'own',
    at: options.at ?? systemClock.now(),
    purpose: options.purpose,
    name: options.name,
    crls,
    ocsp: responses.flatMap(each => each.basic ?? []),
    sources,
  }
}

async function readArtefacts(paths: readonly string[]): Promise<StatusSource[]> {
  if (paths.length === 0) return []
  const [{ readBytes }, { artefactStatus }] = await Promise.all([
    import('./pki-files.ts'),
    import('../domain/verdict/status-evidence.ts'),
  ])
  return Promise.all(paths.map(async path => artefactStatus(await readBytes(path, 'a status artefact'))))
}

/** Trust stores hold certificates that nobody can read any more; those are nobody's anchors. */
async function readAnchors(
  paths: readonly string[],
  parse: (der: Uint8Array) => Certificate,
): Promise<readonly Certificate[]> {
  const [{ readDerFile }, { TouchmarkError }] = await Promise.all([
    import('./pki-files.ts'),
    import('../core/errors.ts'),
  ])
  const anchors: Certificate[] = []
  let failure: unknown
  for (const path of paths) {
    for (const der of await readDerFile(path, 'certificate', CERTIFICATES)) {
      try {
        anchors.push(parse(der))
      } catch (thrown) {
        if (!(thrown instanceof TouchmarkError)) throw thrown
        failure ??= thrown
      }
    }
  }
  if (anchors.length === 0) throw failure
  return anchors
}

/** With anchors of one's own no data folder is needed; where there is one, it is asked all the same. */
async function judge(question: VerdictQuestion, options: VerifyOptions, data: DataFolder): Promise<Verdict> {
  const { reachVerdict } = await import('../domain/verdict/verdict.ts')
  if (options.trust && !isInitialised(data)) return reachVerdict(question)
  const { VerdictRegistry } = await import('../domain/verdict/registry.ts')
  return withStore(data, store => reachVerdict(question, new VerdictRegistry(store.read)))
}

const MARKS = {
  good: ['green', '✓'],
  bad: ['red', '✗'],
  warning: ['yellow', '!'],
  unknown: ['yellow', '?'],
  not_asked: ['dim', '·'],
} as const

function words(
  verdict: Verdict,
  style: (style: 'green' | 'red' | 'yellow' | 'dim' | 'bold', text: string) => string,
): string {
  const { good, code, at, steps, reasons, warnings, path } = verdict
  const head = good
    ? style('green', `good at ${timestamp(at)}`)
    : `${style('red', `not good at ${timestamp(at)}`)}  ${style('bold', code)}`
  const lines = steps.map(({ step, outcome, text }) => {
    const [colour, mark] = MARKS[outcome]
    return `  ${style(colour, mark)} ${step.padEnd(10)}  ${text}`
  })
  const why = [...reasons.map(each => ['reason', each] as const), ...warnings.map(each => ['warning', each] as const)]
  const list = why.map(([kind, each]) => `  ${kind.padEnd(7)}  ${each.code}  ${each.message}`)
  return [`${path[0]?.subject || path[0]?.serialNumber || 'certificate'}: ${head}`, ...lines, ...list].join('\n')
}

function repeated(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value]
}

function instant(text: string): UnixSeconds {
  const seconds = parseInstant(text)
  if (seconds === undefined) throw new InvalidArgumentError('Write it as 2026-01-31T12:00:00Z.')
  return seconds
}

function purpose(text: string): PathPurpose {
  if (text === 'client' || text === 'server' || text === 'code' || text === 'ocsp') return text
  throw new InvalidArgumentError('It is client, server, code or ocsp.')
}

function reference(text: string): ReferenceIdentifier {
  const [, kind, value] = /^(dns|ip|email):(.{1,1024})$/.exec(text) ?? []
  if (kind === undefined) throw new InvalidArgumentError('Write it as dns:HOST, ip:ADDRESS or email:MAILBOX.')
  return { kind: kind as ReferenceIdentifier['kind'], value: value! }
}
