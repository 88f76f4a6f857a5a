// The verdict: is this certificate good, and why. One answer from its path, its status, its name, its device, its key and the algorithms it uses,
// with a sentence for each, so that whoever is refused knows what to change.
import { equalBytes } from '../../core/bytes/bytes.ts'
import { toHex } from '../../core/bytes/hex.ts'
import { TouchmarkError } from '../../core/errors.ts'
import type { Certificate } from '../../core/pki/certificate.ts'
import { formatName } from '../../core/pki/name.ts'
import type { BasicOcspResponse } from '../../core/pki/ocsp.ts'
import type { PathStep } from '../../core/pki/path.ts'
import { type KeyAlgorithmName, keyAlgorithmOfSpki } from '../../crypto/algorithms.ts'
import { CRYPTO_POLICIES, judgeAlgorithm } from '../../crypto/crypto-policy.ts'
import { sha256 } from '../../crypto/digest.ts'
import { keyAlgorithmText } from '../describe/describe-certificate.ts'
import { mayEnrol } from '../device/device.ts'
import type { UnixSeconds } from '../ids.ts'
import { timestamp } from '../timestamp.ts'
import { type Finding, judgePath, type PathJudgement, type PathQuestion } from './judge-path.ts'
import type { Hierarchy, LookedUp, Registered, VerdictRegistry } from './registry.ts'
import { anyOf, ocspStatus, type StatusSource } from './status-evidence.ts'

export interface VerdictQuestion extends Omit<PathQuestion, 'anchors' | 'status' | 'statusRequired'> {
  /** `own`: our hierarchy; a name: a trust anchor list of the registry; else these certificates. */
  readonly trust: 'own' | { readonly maker: string } | { readonly anchors: readonly Certificate[] }
  readonly ocsp?: readonly BasicOcspResponse[] | undefined
  /** Other evidence of status: an artefact. */
  readonly sources?: readonly StatusSource[] | undefined
}

export type StepName = 'path' | 'status' | 'name' | 'device' | 'key' | 'conformity' | 'algorithms' | 'validity'

/** One thing that was looked at. */
export interface VerdictStep {
  readonly step: StepName
  /** `unknown`: it could not be found out, and that was allowed; `not_asked`: there was nothing to ask or nobody to ask it. */
  readonly outcome: 'good' | 'bad' | 'warning' | 'unknown' | 'not_asked'
  /** One sentence. */
  readonly text: string
}

export interface PathMember {
  readonly role: PathStep['role']
  readonly subject: string
  readonly issuer: string
  readonly serialNumber: string
  readonly notBefore: UnixSeconds
  readonly notAfter: UnixSeconds
  readonly sha256: string
  readonly keyAlgorithm: string
  readonly status: 'good' | 'revoked' | 'unknown' | 'not_asked'
}

export interface Verdict {
  readonly good: boolean
  /** `good`, or the code of the most telling reason. */
  readonly code: string
  readonly at: UnixSeconds
  readonly reasons: readonly Finding[]
  readonly warnings: readonly Finding[]
  readonly steps: readonly VerdictStep[]
  /** From the leaf upwards, as far as it goes. */
  readonly path: readonly PathMember[]
  /** Policies under which the path is valid; of a path that is none, none. */
  readonly policies: readonly string[]
  /** Whole days until the leaf ends; negative where it has. */
  readonly daysLeft: number
  /** Where the leaf is one that we issued. */
  readonly registered: Registered | undefined
}

/** Days before the end from which a certificate is worth a word. */
const SOON_DAYS = 14
const DAY = 86_400

/** Without a registry `trust` has to be given. Throws what reading the registry throws. */
export async function reachVerdict(question: VerdictQuestion, registry?: VerdictRegistry): Promise<Verdict> {
  const { trust, ocsp = [], sources = [] } = question
  const hierarchy = await registry?.hierarchy()
  const { anchors, intermediates } = await trusted(trust, hierarchy, registry)
  // Of what came along and is ours the registry's own is taken: that is what it knows the status of.
  const sent = question.intermediates.filter(({ raw }) => !intermediates.some(own => equalBytes(own.raw, raw)))
  const all = [...intermediates, ...sent]
  const lookedUp = hierarchy && (await registry?.lookUp(question.leaf, all, hierarchy))
  const given: StatusSource[] = [...sources, ...(ocsp.length > 0 ? [ocspStatus(ocsp)] : [])]
  const judgement = judgePath({
    ...question,
    intermediates: all,
    anchors,
    status: anyOf([...(lookedUp ? [lookedUp.status] : []), ...given]),
    statusRequired: given.length > 0,
  })
  const known = await knownOf(question.leaf, lookedUp, registry)
  return assemble(question, judgement, known, lookedUp)
}

async function trusted(
  trust: VerdictQuestion['trust'],
  hierarchy: Hierarchy | undefined,
  registry: VerdictRegistry | undefined,
): Promise<Pick<Hierarchy, 'anchors' | 'intermediates'>> {
  if (trust === 'own') return hierarchy ?? { anchors: [], intermediates: [] }
  if ('anchors' in trust) return { anchors: trust.anchors, intermediates: hierarchy?.intermediates ?? [] }
  return { anchors: (await registry?.maker(trust.maker))?.certificates ?? [], intermediates: [] }
}

interface Known {
  readonly registered: Registered | undefined
  readonly keyState: string | undefined
}

async function knownOf(
  leaf: Certificate,
  lookedUp: LookedUp | undefined,
  registry: VerdictRegistry | undefined,
): Promise<Known> {
  const [registered, key] = await Promise.all([lookedUp?.registered(leaf), registry?.key(leaf)])
  return { registered, keyState: key?.state }
}

function assemble(
  question: VerdictQuestion,
  judgement: PathJudgement,
  known: Known,
  lookedUp: LookedUp | undefined,
): Verdict {
  const { leaf, at } = question
  const reasons: Finding[] = [...judgement.findings]
  const warnings: Finding[] = [...judgement.notes]
  const steps: VerdictStep[] = [pathStep(judgement), ...statusSteps(judgement, lookedUp, reasons)]
  if (question.name) steps.push(nameStep(question.name, judgement))
  steps.push(deviceStep(known, at, lookedUp !== undefined, reasons), keyStep(judgement, known, reasons))
  steps.push(conformityStep(judgement), algorithmStep(leaf))
  const daysLeft = Math.floor((leaf.notAfter - at) / DAY)
  steps.push(validityStep(leaf, at, daysLeft, warnings))
  const good = reasons.length === 0
  return {
    good,
    code: good ? 'good' : reasons[0]!.code,
    at,
    reasons,
    warnings,
    steps,
    path: judgement.result.steps.map(memberOf),
    policies: judgement.result.ok ? judgement.result.policies.policies : [],
    daysLeft,
    registered: known.registered,
  }
}

function pathStep({ result }: PathJudgement): VerdictStep {
  const names = result.steps.map(({ certificate }) => nameOf(certificate)).join(' ← ')
  if (result.ok) return { step: 'path', outcome: 'good', text: `It leads to an anchor: ${names}.` }
  if (STATUS_CODES.has(result.code)) return { step: 'path', outcome: 'good', text: `It leads upwards: ${names}.` }
  return { step: 'path', outcome: 'bad', text: `${result.message} As far as it goes: ${names}.` }
}

const STATUS_CODES: ReadonlySet<string> = new Set(['path.revoked', 'path.held', 'path.revocation_unknown'])

/** One for each certificate whose status was asked. What our own registry objects to is a reason, whatever else was asked. */
function statusSteps({ result }: PathJudgement, lookedUp: LookedUp | undefined, reasons: Finding[]): VerdictStep[] {
  const steps: VerdictStep[] = []
  for (const [i, { certificate, revocation }] of result.steps.entries()) {
    if (revocation === undefined) continue
    const who = nameOf(certificate)
    const issuer = result.steps[i + 1]?.certificate
    const objection = issuer && lookedUp?.objection(certificate, issuer)
    if (objection !== undefined) {
      const { code, message } = objection
      reasons.unshift({ code, message, evidence: { serialNumber: certificate.serialNumber } })
      steps.push({ step: 'status', outcome: 'bad', text: `${who} is not to be believed. ${message}` })
      continue
    }
    switch (revocation.kind) {
      case 'good': {
        const until = revocation.until === undefined ? '' : `, as is said until ${timestamp(revocation.until)}`
        steps.push({
          step: 'status',
          outcome: 'good',
          text: `${who} is not revoked (${SOURCES[revocation.source]}${until}).`,
        })
        break
      }
      case 'revoked': {
        const { reason, revokedAt, invalidityDate } = revocation
        const since = invalidityDate === undefined ? '' : `, its key suspect since ${timestamp(invalidityDate)}`
        const text = `${who} was revoked at ${timestamp(revokedAt)}: ${reason}${since} (${SOURCES[revocation.source]}).`
        steps.push({ step: 'status', outcome: 'bad', text })
        break
      }
      case 'unknown': {
        const required = reasons.some(
          ({ code, evidence }) =>
            code === 'path.revocation_unknown' && evidence['serialNumber'] === certificate.serialNumber,
        )
        const outcome = required ? 'bad' : 'unknown'
        const text = required || revocation.code !== 'crl.none' ? revocation.message : 'Nobody was asked.'
        steps.push({ step: 'status', outcome, text: `Whether ${who} is revoked is not known. ${text}` })
        break
      }
      default:
        revocation satisfies never
    }
  }
  if (steps.length > 0) return steps
  const text = result.ok ? 'An anchor is trusted, not revoked.' : 'Its status was not asked: the path ends before.'
  return [{ step: 'status', outcome: 'not_asked', text }]
}

const SOURCES = { crl: 'CRL', ocsp: 'OCSP', other: 'registry or artefact' } as const

function nameStep({ kind, value }: NonNullable<PathQuestion['name']>, { findings }: PathJudgement): VerdictStep {
  const found = findings.find(({ code }) => code.startsWith('identity.'))
  const wanted = `${kind} ${value.slice(0, 256)}`
  return found
    ? { step: 'name', outcome: 'bad', text: `${found.message} Wanted: ${wanted}.` }
    : { step: 'name', outcome: 'good', text: `It is for ${wanted}.` }
}

function deviceStep({ registered }: Known, at: UnixSeconds, hasRegistry: boolean, reasons: Finding[]): VerdictStep {
  if (!hasRegistry)
    return { step: 'device', outcome: 'not_asked', text: 'There is no registry at hand to ask for the device.' }
  if (registered === undefined)
    return { step: 'device', outcome: 'not_asked', text: 'It is not one of our certificates.' }
  const { device } = registered
  if (device === undefined) {
    return { step: 'device', outcome: 'not_asked', text: 'It belongs to the platform itself, and to no device.' }
  }
  const who = `The device ${device.model} ${device.serialNumber} is ${device.state}`
  if (mayEnrol(device.state)) return { step: 'device', outcome: 'good', text: `${who}.` }
  if (device.stateChangedAt > at) {
    return {
      step: 'device',
      outcome: 'good',
      text: `${who} since ${timestamp(device.stateChangedAt)}, which is later.`,
    }
  }
  const code = device.state === 'suspended' ? 'device.suspended' : 'device.retired'
  const message = `${who} since ${timestamp(device.stateChangedAt)}.`
  reasons.push({ code, message, evidence: { deviceId: device.id, state: device.state } })
  return { step: 'device', outcome: 'bad', text: message }
}

function keyStep({ findings, notes }: PathJudgement, { keyState }: Known, reasons: Finding[]): VerdictStep {
  if (keyState === 'compromised') {
    const message = 'The registry knows that the private key is compromised.'
    reasons.push({ code: 'key.compromised', message, evidence: {} })
    return { step: 'key', outcome: 'bad', text: message }
  }
  const isKey = ({ code }: Finding) => code.startsWith('key.') || code.startsWith('signature.')
  return fromFindings(
    'key',
    findings.filter(isKey),
    notes.filter(isKey),
    'Its keys and signatures are of a kind to rely on.',
  )
}

function conformityStep({ findings, notes }: PathJudgement): VerdictStep {
  const isLint = ({ code }: Finding) => code.startsWith('lint.')
  const good = 'Every certificate of the path is what RFC 5280 wants it to be.'
  return fromFindings('conformity', findings.filter(isLint), notes.filter(isLint), good)
}

function fromFindings(step: StepName, bad: readonly Finding[], odd: readonly Finding[], good: string): VerdictStep {
  if (bad.length > 0) return { step, outcome: 'bad', text: bad.map(each => each.message).join(' ') }
  if (odd.length > 0) return { step, outcome: 'warning', text: odd.map(each => each.message).join(' ') }
  return { step, outcome: 'good', text: good }
}

/** Crypto policies differ by market, so that they are told, and decide nothing here. */
function algorithmStep(leaf: Certificate): VerdictStep {
  const step = 'algorithms'
  const name = keyNameOf(leaf)
  if (name === undefined) return { step, outcome: 'warning', text: `No crypto policy names ${keyAlgorithmText(leaf)}.` }
  const objections = CRYPTO_POLICIES.flatMap(policy => {
    const verdict = judgeAlgorithm(policy, name, leaf.notAfter)
    if (verdict.outcome === 'allowed') return []
    const until = verdict.outcome === 'forbidden' ? 'forbids it' : `allows it until ${timestamp(verdict.lastUse)}`
    return [`${policy.name} ${until}`]
  })
  return objections.length === 0
    ? { step, outcome: 'good', text: `${name}: no crypto policy that we know objects.` }
    : { step, outcome: 'warning', text: `${name}: ${objections.join('; ')}.` }
}

function keyNameOf({ subjectPublicKeyInfo }: Certificate): KeyAlgorithmName | undefined {
  try {
    return keyAlgorithmOfSpki(subjectPublicKeyInfo)
  } catch (thrown) {
    if (thrown instanceof TouchmarkError) return undefined
    throw thrown
  }
}

function validityStep(leaf: Certificate, at: UnixSeconds, daysLeft: number, warnings: Finding[]): VerdictStep {
  const step = 'validity'
  const end = timestamp(leaf.notAfter)
  if (at < leaf.notBefore) return { step, outcome: 'bad', text: `It begins at ${timestamp(leaf.notBefore)}.` }
  if (at > leaf.notAfter) return { step, outcome: 'bad', text: `It ended at ${end}.` }
  const text = `It ends at ${end}, in ${daysLeft} days.`
  const whole = leaf.notAfter - leaf.notBefore
  if (daysLeft >= SOON_DAYS || leaf.notAfter - at > whole / 4) return { step, outcome: 'good', text }
  warnings.push({ code: 'validity.ends_soon', message: text, evidence: { daysLeft } })
  return { step, outcome: 'warning', text }
}

function memberOf({ certificate, role, revocation }: PathStep): PathMember {
  return {
    role,
    subject: formatName(certificate.subject),
    issuer: formatName(certificate.issuer),
    serialNumber: certificate.serialNumber,
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    sha256: toHex(sha256(certificate.raw)),
    keyAlgorithm: keyAlgorithmText(certificate),
    status: revocation?.kind ?? 'not_asked',
  }
}

function nameOf({ subject, serialNumber }: Certificate): string {
  return formatName(subject).slice(0, 128) || `serial number ${serialNumber}`
}
