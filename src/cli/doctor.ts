// `touchmark doctor`: looks at everything that an installation stands on and says what to do. It changes nothing.
import { existsSync } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'
import { toUtf8 } from '../core/bytes/utf8.ts'
import { asTouchmarkError } from '../core/errors.ts'
import { openCheckpoint } from '../core/merkle/checkpoint.ts'
import { parseCertificate } from '../core/pki/certificate.ts'
import { checkRandomSource, systemRandom } from '../crypto/random.ts'
import { readTrustBundle, verifyTrustBundle } from '../crypto/trust-bundle.ts'
import { parseAuditEntry } from '../domain/audit/entry.ts'
import { parseProfile } from '../domain/ca/profile.ts'
import type { Store } from '../domain/ports.ts'
import { defaultRules, parseRules, RULES_NAME } from '../domain/ra/rules.ts'
import { crlPublicationName } from '../domain/revocation/crl-series.ts'
import { TRUST_BUNDLE_PUBLICATION, versionPublicationName } from '../domain/trust-bundle/publication-name.ts'
import type { Configuration } from '../server/configuration.ts'
import { type DataFolder, readConfiguration } from '../server/data-folder.ts'
import { checkNotRolledBack, lastSignedIn } from '../server/last-signed.ts'
import { logVerifiers } from '../server/log-key.ts'
import { openInstance } from '../server/open-instance.ts'
import { openStore } from '../server/open-store.ts'
import { findPassphrase, type PassphraseSources } from '../server/passphrase.ts'
import { act, type Command, command, withPassphrase } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { time } from './output.ts'
import { systemClock } from './store.ts'

interface Finding {
  readonly check: string
  /** `warning`: it works, and somebody should know. `failed`: it does not, or will not for long. */
  readonly result: 'ok' | 'warning' | 'failed' | 'skipped'
  readonly detail: string
  readonly next?: string
}

export function doctorCommand(): Command {
  const doctor = withPassphrase(
    command({
      name: 'doctor',
      summary: 'Check this installation and say what to do',
      description:
        'Looks at configuration, access rights, store, keys, authorities, CRLs and the log, and changes nothing.\n' +
        'Exit code 1: something has to be done. For the log as a whole there is touchmark audit verify.',
      examples: [
        ['doctor --data ./acme', 'Without the passphrase the keys are not opened'],
        ['doctor --data ./acme --passphrase-file /run/secrets/touchmark --json', 'For monitoring'],
      ],
    }),
  )
  return act(doctor, async ({ out, data, options }) => {
    const findings: Finding[] = []
    for await (const finding of examine(data, { file: options.passphraseFile, ask: undefined })) findings.push(finding)
    const ok = findings.every(finding => finding.result !== 'failed')
    out.result({ ok, checks: findings }, () =>
      findings
        .map(({ check, result, detail, next }) => {
          const mark = out.style(STYLES[result], MARKS[result])
          return `${mark} ${check.padEnd(14)} ${detail}${next ? `\n${' '.repeat(17)}${next}` : ''}`
        })
        .join('\n'),
    )
    return ok ? EXIT.ok : EXIT.no
  })
}

const MARKS = { ok: '✓', warning: '!', failed: '✗', skipped: '·' } as const
const STYLES = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' } as const

async function* examine(data: DataFolder, sources: PassphraseSources): AsyncGenerator<Finding> {
  yield { check: 'node', result: 'ok', detail: `${process.version}, OpenSSL ${process.versions.openssl}` }
  yield await attempt('randomness', async () => {
    checkRandomSource(systemRandom)
    return ok('randomness', 'the random source passes its health test')
  })
  let configuration: Configuration | undefined
  yield await attempt('configuration', async () => {
    configuration = await readConfiguration(data)
    return ok('configuration', data.configurationFile)
  })
  if (!configuration) return
  yield* accessRights(data)
  yield* offlineRoot(data)
  yield await attempt('disk', () => freeSpace(data))
  let store: Store | undefined
  yield await attempt('store', async () => {
    store = await openStore(data, configuration!)
    const { devices, certificates, auditEntries } = await store.read.counts()
    return ok('store', `${devices} devices, ${certificates} certificates, ${auditEntries} log entries`)
  })
  if (!store) return
  await using open = store
  yield await attempt('clock', () => clock(open))
  yield await attempt('documents', () => documents(open))
  yield* authorities(open)
  yield await attempt('trust bundle', () => trustBundle(open))
  yield await attempt('log', () => log(data, open, configuration!))
  yield await keys(data, sources)
}

const ok = (check: string, detail: string): Finding => ({ check, result: 'ok', detail })

/** What throws is what is wrong. */
async function attempt(check: string, look: () => Promise<Finding>): Promise<Finding> {
  try {
    return await look()
  } catch (thrown) {
    const { code, message, next } = asTouchmarkError(thrown)
    return { check, result: 'failed', detail: `${code}: ${message}`, ...(next ? { next } : {}) }
  }
}

async function* accessRights(data: DataFolder): AsyncGenerator<Finding> {
  const check = 'access rights'
  const open: string[] = []
  for (const path of [data.path, data.keys, data.offlineRoot, data.passphraseFile, data.configurationFile]) {
    if (existsSync(path) && ((await stat(path)).mode & 0o077) !== 0) open.push(path)
  }
  if (open.length === 0) yield ok(check, 'nobody but the owner reads the data folder')
  else {
    const next = `chmod go-rwx ${open.join(' ')}`
    yield { check, result: 'warning', detail: `others may read ${open.join(', ')}`, next }
  }
}

async function* offlineRoot(data: DataFolder): AsyncGenerator<Finding> {
  const check = 'offline root'
  if (!existsSync(data.offlineRoot)) yield ok(check, 'its key is not in the data folder')
  else {
    const next = 'Move the folder away, to a place without network; no server needs it.'
    yield { check, result: 'warning', detail: `its key is still here: ${data.offlineRoot}`, next }
  }
}

const MEBIBYTE = 1024 * 1024

async function freeSpace(data: DataFolder): Promise<Finding> {
  const { bavail, bsize } = await statfs(data.path)
  const free = Math.floor((bavail * bsize) / MEBIBYTE)
  const detail = `${free} MiB free`
  if (free >= 1024) return ok('disk', detail)
  return {
    check: 'disk',
    result: free < 64 ? 'failed' : 'warning',
    detail,
    next: 'Make room: a full disk stops issuing.',
  }
}

/** A clock that went back would date certificates before those that exist. */
async function clock({ read }: Store): Promise<Finding> {
  const { size } = await read.auditHead()
  const bytes = size > 0 ? await read.auditEntry(size - 1) : undefined
  const now = systemClock.now()
  const last = bytes ? parseAuditEntry(bytes).at : 0
  if (last <= now + 5) return ok('clock', time(now))
  const next = 'Set the clock of this machine right before anything is issued.'
  return {
    check: 'clock',
    result: 'failed',
    detail: `it is ${time(now)} here, and the log has an entry of ${time(last)}`,
    next,
  }
}

async function documents({ read }: Store): Promise<Finding> {
  const profiles = await read.documents('profile')
  for (const { body } of profiles) parseProfile(JSON.parse(body))
  const stored = await read.document('rules', RULES_NAME)
  const rules = parseRules(stored ? JSON.parse(stored.body) : defaultRules)
  return ok('documents', `${profiles.length} profiles, ${rules.length} rules`)
}

const DAY = 86_400

async function* authorities({ read }: Store): AsyncGenerator<Finding> {
  const now = systemClock.now()
  for (const { id, state, certificate: der, crlShards } of await read.authorities()) {
    if (state === 'awaiting_certificate' || !der) {
      const next = `touchmark authority import ${id} FILE`
      yield { check: 'authority', result: 'warning', detail: `${id} waits for its certificate`, next }
      continue
    }
    const { notAfter } = parseCertificate(der)
    const days = Math.floor((notAfter - now) / DAY)
    if (days < 0)
      yield {
        check: 'authority',
        result: 'failed',
        detail: `${id} expired ${time(notAfter)}`,
        next: 'Make its next generation.',
      }
    else if (days < 180) {
      const next = 'Make its next generation: touchmark authority create'
      yield { check: 'authority', result: 'warning', detail: `${id} ends in ${days} days`, next }
    } else yield ok('authority', `${id}, until ${time(notAfter)}`)
    for (let shard = 0; shard < crlShards; shard++) {
      const crl = await read.publicationHead(crlPublicationName(id, shard))
      const name = crlShards === 1 ? id : `${id}, shard ${shard}`
      if (!crl) yield { check: 'CRL', result: 'warning', detail: `${name}: none yet`, next: CRL_NEXT }
      else if (crl.nextUpdate < now) {
        yield {
          check: 'CRL',
          result: 'failed',
          detail: `${name}: out of date since ${time(crl.nextUpdate)}`,
          next: CRL_NEXT,
        }
      } else if (crlShards === 1)
        yield ok('CRL', `${name}: number ${crl.number}, next update by ${time(crl.nextUpdate)}`)
    }
  }
}

const CRL_NEXT = 'A running server publishes it; for the offline root: touchmark authority crl.'

/** What devices follow: there, signed for a while yet, and with the roots that the authorities have now. */
async function trustBundle({ read }: Store): Promise<Finding> {
  const check = 'trust bundle'
  const next = 'A running server signs it within a minute; it needs an issuing authority whose key is in its key store.'
  const stored = await read.publication(TRUST_BUNDLE_PUBLICATION)
  if (!stored) return { check, result: 'warning', detail: 'none yet', next }
  const { bundle, signer } = readTrustBundle(stored.bytes)
  const now = systemClock.now()
  const { length } = bundle.certificates
  const roots = length === 1 ? 'one root' : `${length} roots`
  const detail = `version ${bundle.version}, ${roots}, signed until ${time(signer.notAfter)}`
  if (signer.notAfter < now) return { check, result: 'failed', detail: `${detail}: no device takes it`, next }
  const before = await read.publication(versionPublicationName(bundle.version - 1))
  if (!before || canFollow(stored.bytes, readTrustBundle(before.bytes).bundle.certificates, now))
    return ok(check, detail)
  return {
    check,
    result: 'warning',
    detail: `${detail}; devices with version ${bundle.version - 1} cannot follow, for they trust no root above its signer`,
    next: 'Keep an issuing authority under a root of the version before for as long as devices have that version.',
  }
}

function canFollow(bytes: Uint8Array, trusted: readonly Uint8Array[], at: number): boolean {
  try {
    verifyTrustBundle(bytes, { anchors: trusted.map(der => parseCertificate(new Uint8Array(der))), at })
    return true
  } catch {
    return false
  }
}

async function log(
  data: DataFolder,
  { read }: Store,
  { log: { origin, verifierKeys } }: Configuration,
): Promise<Finding> {
  const verifiers = logVerifiers(verifierKeys)
  await checkNotRolledBack(lastSignedIn(data.keys, { origin, verifiers }), read)
  const { size } = await read.auditHead()
  const latest = await read.latestCheckpoint()
  if (!latest)
    return { check: 'log', result: 'warning', detail: `${size} entries, none signed yet`, next: 'Run touchmark serve.' }
  const { checkpoint } = openCheckpoint(toUtf8(latest.note), origin, verifiers)
  const detail = `${size} entries, ${checkpoint.size} of them signed ${time(latest.at)}`
  if (checkpoint.size === size) return ok('log', detail)
  return { check: 'log', result: 'warning', detail, next: 'A running server signs the rest within seconds.' }
}

/** Whether the passphrase opens the key store and every active authority's key is there and right. */
async function keys(data: DataFolder, sources: PassphraseSources): Promise<Finding> {
  const check = 'keys'
  try {
    await findPassphrase(data, sources)
  } catch {
    return {
      check,
      result: 'skipped',
      detail: 'not opened: no passphrase was given',
      next: 'Add --passphrase-file FILE.',
    }
  }
  return attempt(check, async () => {
    await using instance = await openInstance(data, sources)
    let count = 0
    for (const { id, kind, state } of await instance.authorities.all()) {
      if (kind === 'root' || state === 'awaiting_certificate') continue
      await instance.authorities.signing(id)
      count++
    }
    const detail = `${count} authorities have their keys`
    if (instance.passphraseSource !== 'folder') return ok(check, detail)
    const next = 'Give a passphrase from elsewhere with --passphrase-file, and delete the file.'
    return { check, result: 'warning', detail: `${detail}; the passphrase lies beside them`, next }
  })
}
