// `touchmark status`: compact status artefacts at the command line, as a device uses them. Needs no data folder: the authority's certificate is all
// that is trusted. docs/formats/status-artefact.md.
import { readFile, rename, writeFile } from 'node:fs/promises'
import { TouchmarkError } from '../core/errors.ts'
import { type OpenStatusOptions, openStatusArtefact, type StatusArtefact } from '../core/filter/status-artefact.ts'
import { applyStatusDelta } from '../core/filter/status-delta.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import { inQuestion, issuerKeyHash, statusVerifier } from '../crypto/status-signer.ts'
import { act, type Command, command, group, usageError } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { facts, timestamp } from './output.ts'
import { readBytes, readPkiFile } from './pki-files.ts'
import { systemClock } from './store.ts'

interface AuthorityOption {
  readonly authority: string
}

export function statusCommand(): Command {
  return group({ name: 'status', summary: 'Compact status artefacts: fetch, show, ask' })
    .addCommand(fetchCommand())
    .addCommand(showCommand())
    .addCommand(queryCommand())
}

function fetchCommand(): Command {
  const fetching = command({
    name: 'fetch',
    summary: 'Bring an artefact up to date, by a delta where there is one',
    description:
      'The file is replaced only by an artefact of the same authority, with a good signature and no lower epoch; a failure leaves\n' +
      'it as it is.',
    examples: [
      ['status fetch http://pki.example/status/ldevid-1.tms ldevid-1.tms --authority ldevid-1.pem', 'First or again'],
    ],
  })
    .argument('<url>', 'address of the artefact, as the server has it: …/status/AUTHORITY.tms')
    .argument('<file>', 'where it is kept')
    .requiredOption('--authority <file>', 'certificate of the authority, PEM or DER')
  return act<AuthorityOption>(fetching, async ({ out, options, signal }, url, file) => {
    const artefactUrl = addressOf(url!)
    const trust = await trustOf(options)
    const before = await held(file!, trust)
    const fetched = await newest(artefactUrl, before, signal)
    const octets = fetched?.octets ?? before!.octets
    const artefact = open(octets, { ...trust, notBelow: before?.artefact.head.epoch ?? 0 })
    if (fetched) {
      await writeFile(`${file}.new`, octets)
      await rename(`${file}.new`, file!)
    }
    const view = { epoch: artefact.head.epoch, octets: octets.length, received: fetched?.received ?? 0 }
    out.result(view, () =>
      fetched
        ? `Epoch ${view.epoch}, ${view.octets} octets; ${view.received} of them came${fetched.delta ? ', as a delta' : ''}.`
        : `Epoch ${view.epoch} is the newest.`,
    )
  })
}

function showCommand(): Command {
  const show = command({
    name: 'show',
    summary: 'Say what an artefact covers, and until when it may be relied on',
    examples: [['status show ldevid-1.tms --authority ldevid-1.pem', 'Its signature is checked first']],
  })
    .argument('<file>', 'the artefact; - reads standard input')
    .requiredOption('--authority <file>', 'certificate of the authority, PEM or DER')
  return act<AuthorityOption>(show, async ({ out, options }, file) => {
    const octets = await readBytes(file!, 'a status artefact')
    const artefact = open(octets, await trustOf(options))
    const { issuerKeyHash: _hash, ...head } = artefact.head
    const freshness = artefact.freshness(systemClock.now())
    const { segments, exceptions } = artefact.body
    const view = {
      ...head,
      freshness,
      octets: octets.length,
      segments: segments.length,
      exceptions: exceptions.length / 16,
    }
    out.result(view, () =>
      facts([
        ['epoch', String(head.epoch)],
        ['this update', timestamp(head.thisUpdate)],
        ['next update', timestamp(head.nextUpdate)],
        ['grace until', timestamp(head.graceUntil)],
        ['now', freshness],
        ['covers', `${head.universe} certificates, issued until ${timestamp(head.coveredUntil)}`],
        ['revoked', String(head.revoked)],
        ['octets', `${octets.length}: ${view.segments} segment(s), ${view.exceptions} exception(s)`],
      ]),
    )
  })
}

function queryCommand(): Command {
  const query = command({
    name: 'query',
    summary: 'Ask an artefact whether certificates are revoked',
    description: 'Exit code 0: all are good, by an artefact that may be relied on; 1: one is not, or is unknown.',
    examples: [['status query ldevid-1.tms device.pem --authority ldevid-1.pem', 'good, revoked or unknown, and why']],
  })
    .argument('<file>', 'the artefact')
    .argument('<certificates...>', 'PEM or DER')
    .requiredOption('--authority <file>', 'certificate of the authority, PEM or DER')
  return act<AuthorityOption>(query, async ({ out, options }, file, ...names) => {
    const trust = await trustOf(options)
    const artefact = open(await readBytes(file!, 'a status artefact'), trust)
    const freshness = artefact.freshness(systemClock.now())
    let good = freshness === 'fresh' || freshness === 'grace'
    const answers: { serialNumber: string; status: string; why?: string }[] = []
    for (const name of names.flat()) {
      for (const certificate of await readPkiFile(name, 'certificate', ['CERTIFICATE'], parseCertificate)) {
        const answer = artefact.query(inQuestion(certificate, trust.certificate))
        if (answer.status !== 'good') good = false
        answers.push({ serialNumber: certificate.serialNumber, ...answer })
      }
    }
    out.result({ freshness, answers }, () =>
      [
        ...answers.map(({ serialNumber, status, why }) => `${serialNumber}  ${why ? `${status} (${why})` : status}`),
        `The artefact is ${freshness}.`,
      ].join('\n'),
    )
    return good ? EXIT.ok : EXIT.no
  })
}

type Trust = Pick<OpenStatusOptions, 'verify'> & {
  readonly issuerKeyHash: Uint8Array
  readonly certificate: Certificate
}

async function trustOf({ authority }: AuthorityOption): Promise<Trust> {
  const [certificate] = await readPkiFile(authority, 'certificate', ['CERTIFICATE'], parseCertificate)
  return {
    certificate: certificate!,
    verify: statusVerifier(certificate!),
    issuerKeyHash: issuerKeyHash(certificate!),
  }
}

function open(octets: Uint8Array, { verify, issuerKeyHash, notBelow }: OpenStatusOptions): StatusArtefact {
  return openStatusArtefact(octets, {
    verify,
    ...(issuerKeyHash ? { issuerKeyHash } : {}),
    ...(notBelow === undefined ? {} : { notBelow }),
  })
}

interface Held {
  readonly octets: Uint8Array
  readonly artefact: StatusArtefact
}

/** What is kept in the file: `undefined` where there is none yet. */
async function held(file: string, trust: Trust): Promise<Held | undefined> {
  let octets: Uint8Array
  try {
    octets = new Uint8Array(await readFile(file))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
  return { octets, artefact: open(octets, trust) }
}

interface Fetched {
  readonly octets: Uint8Array
  readonly received: number
  readonly delta: boolean
}

/** The artefact of now; `undefined` where the held one is it. */
async function newest(url: URL, before: Held | undefined, signal: AbortSignal): Promise<Fetched | undefined> {
  if (before) {
    const { epoch } = before.artefact.head
    const delta = await get(new URL(url.href.replace(/\.tms$/, `/${epoch}.tmd`)), signal)
    if (delta === 'same') return undefined
    if (delta !== undefined) {
      return { octets: applyStatusDelta(before.octets, delta), received: delta.length, delta: true }
    }
  }
  const octets = await get(url, signal)
  if (octets === undefined || octets === 'same') {
    throw new TouchmarkError('status.not_found', 'not_found', `There is no status artefact at ${url.href}.`)
  }
  return { octets, received: octets.length, delta: false }
}

const MAX_OCTETS = 256 * 1024 * 1024
const TIMEOUT_MS = 30_000

/** `undefined`: 404. `same`: 204. */
async function get(url: URL, signal: AbortSignal): Promise<Uint8Array | 'same' | undefined> {
  let answer: Response
  try {
    answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) })
  } catch (cause) {
    throw unreachable(url, 'no answer', cause)
  }
  if (answer.status === 404) return undefined
  if (answer.status === 204) return 'same'
  if (!answer.ok || answer.body === null) throw unreachable(url, `HTTP ${answer.status}`)
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of answer.body) {
    length += part.length
    if (length > MAX_OCTETS) throw unreachable(url, 'more octets than an artefact has')
    parts.push(part)
  }
  return new Uint8Array(Buffer.concat(parts))
}

function unreachable(url: URL, reason: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError('status.unreachable', 'unavailable', `${url.href} cannot be fetched: ${reason}.`, { cause })
}

function addressOf(text: string): URL {
  const url = URL.parse(text)
  if (url && /^https?:$/.test(url.protocol) && url.pathname.endsWith('.tms')) return url
  throw usageError('The address of an artefact is http or https and ends with .tms.')
}
