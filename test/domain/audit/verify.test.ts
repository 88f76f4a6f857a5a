// Verification of the store against its log: an honest store passes, and whatever is altered is named.
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { test } from 'node:test'
import { toHex } from '../../../src/core/bytes/hex.ts'
import { toUtf8 } from '../../../src/core/bytes/utf8.ts'
import { appendLeaves, EMPTY_TREE, type TreeState, treeRoot } from '../../../src/core/merkle/appender.ts'
import { signCheckpoint } from '../../../src/core/merkle/checkpoint.ts'
import {
  ed25519NoteSigner,
  ed25519NoteVerifier,
  SIGNATURE_TYPES,
  verifierKey,
} from '../../../src/core/merkle/signed-note.ts'
import { leafHash } from '../../../src/core/merkle/tree.ts'
import { sha256 } from '../../../src/crypto/digest.ts'
import { type CertificateFacts, certificateCheck } from '../../../src/domain/audit/certificate-check.ts'
import { type AuditEntry, encodeAuditEntry } from '../../../src/domain/audit/entry.ts'
import type { AuditSource } from '../../../src/domain/audit/reading.ts'
import { type AuditReport, type VerifyOptions, verifyAuditLog } from '../../../src/domain/audit/verify.ts'
import { verifyStore } from '../../../src/domain/audit/verify-store.ts'
import { authorityId, deviceId, keyId, serialNumber } from '../../../src/domain/ids.ts'
import { testInstance } from '../../support/instance.ts'

const ORIGIN = 'ca.example/audit'
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const KEY = verifierKey(
  sha256,
  ORIGIN,
  SIGNATURE_TYPES.ed25519,
  publicKey.export({ format: 'der', type: 'spki' }).subarray(-32),
)
const SIGNER = ed25519NoteSigner(KEY, async message => new Uint8Array(sign(null, message, privateKey)))
const OPTIONS: VerifyOptions = {
  hash: sha256,
  origin: ORIGIN,
  logKeys: [ed25519NoteVerifier(KEY, (_key, message, signature) => verify(null, message, publicKey, signature))],
}

/** A store of everything that the log speaks of, with nothing hidden: tests alter what they like. */
class Store implements AuditSource {
  state: TreeState = EMPTY_TREE
  stored: Uint8Array[] = []
  tiles = new Map<string, Uint8Array>()
  notes: Uint8Array[] = []
  rows: CertificateFacts[] = []
  claimed: { size: number; root: Uint8Array } | undefined
  gone = new Set<number>()

  add(entries: readonly AuditEntry[]): void {
    const bytes = entries.map(encodeAuditEntry)
    this.stored.push(...bytes)
    const { state, tiles } = appendLeaves(
      sha256,
      this.state,
      bytes.map(each => leafHash(sha256, each)),
    )
    this.state = state
    for (const { level, index, hashes } of tiles) this.tiles.set(`${level}/${index}`, new Uint8Array(hashes))
  }

  async checkpoint(): Promise<void> {
    const root = treeRoot(sha256, this.state)
    this.notes.push(
      toUtf8(await signCheckpoint({ origin: ORIGIN, size: this.state.size, root, extensions: [] }, [SIGNER])),
    )
  }

  async head() {
    return this.claimed ?? { size: this.state.size, root: treeRoot(sha256, this.state) }
  }
  async *entries(from: number) {
    for (let index = from; index < this.stored.length; index++) {
      if (!this.gone.has(index)) yield { index, bytes: this.stored[index]! }
    }
  }
  async tile(level: number, index: number) {
    return this.tiles.get(`${level}/${index}`)
  }
  async *checkpoints() {
    yield* this.notes
  }
  async *certificates() {
    yield* this.rows.toSorted((a, b) => a.auditIndex - b.auditIndex)
  }

  /** Makes entries say something else, as somebody with access to the database would. */
  alter(index: number): void {
    this.stored[index] = Buffer.from(Buffer.from(this.stored[index]!).toString().replace('"at":1', '"at":2'))
  }
  /** Puts what now stands there into the tile that holds its hash. */
  cover(index: number): void {
    this.tiles.get(`0/${Math.floor(index / 256)}`)!.set(leafHash(sha256, this.stored[index]!), (index % 256) * 32)
  }
  /** Builds tiles and head anew from what stands there, as if nothing else had ever been. */
  rebuild(): void {
    const entries = this.stored.filter((_, index) => !this.gone.has(index))
    this.state = EMPTY_TREE
    this.tiles.clear()
    const { state, tiles } = appendLeaves(
      sha256,
      this.state,
      entries.map(each => leafHash(sha256, each)),
    )
    this.state = state
    for (const { level, index, hashes } of tiles) this.tiles.set(`${level}/${index}`, new Uint8Array(hashes))
    this.stored = entries
    this.gone.clear()
  }
}

const at = (index: number) => 1_700_000_000 + index
const der = (index: number) => new Uint8Array(Buffer.from(`certificate ${index}`))
const names = (index: number) => ({
  authorityId: authorityId('ldevid-1'),
  serialNumber: serialNumber(index.toString(16).padStart(8, '0')),
})
const actor = { kind: 'operator', id: 'op-1' } as const

function issued(index: number): AuditEntry {
  const subject = {
    ...names(index),
    certificateSha256: toHex(sha256(der(index))),
    deviceId: `device${index}`,
    keyId: toHex(sha256(Uint8Array.of(index))),
  }
  return { at: at(index), actor, action: 'certificate.issued', outcome: 'done', subject }
}
function row(index: number): CertificateFacts {
  return {
    ...names(index),
    deviceId: deviceId(`device${index}`),
    keyId: keyId(sha256(Uint8Array.of(index))),
    der: der(index),
    status: { kind: 'good' },
    auditIndex: index,
    profile: 'ldevid',
    profileVersion: 1,
    notBefore: 0,
    notAfter: 1,
    crlShard: 0,
    replaces: null,
  }
}
const refused = (index: number): AuditEntry => ({
  at: at(index),
  actor: { kind: 'stranger', id: 'unknown' },
  action: 'enrolment.refused',
  outcome: 'refused',
  code: 'csr.signature_invalid',
  subject: {},
})
function changed(
  index: number,
  of: number,
  action: 'certificate.revoked' | 'certificate.held' | 'certificate.released',
): AuditEntry {
  return {
    at: at(index),
    actor,
    action,
    outcome: 'done',
    subject: names(of),
    ...(action === 'certificate.revoked' ? { detail: { reason: 'keyCompromise' } } : {}),
  }
}

/** An honest store of `size` entries: every third one a refusal, the others certificates; checkpoints at the given sizes. */
async function honest(size: number, checkpoints: readonly number[] = [size]): Promise<Store> {
  const store = new Store()
  for (const end of [...new Set([...checkpoints, size])].sort((a, b) => a - b)) {
    const entries: AuditEntry[] = []
    for (let index = store.stored.length; index < end; index++) {
      if (index % 3 === 2) entries.push(refused(index))
      else {
        entries.push(issued(index))
        store.rows.push(row(index))
      }
    }
    store.add(entries)
    if (checkpoints.includes(end)) await store.checkpoint()
  }
  return store
}

function check(store: Store, options: Partial<VerifyOptions> = {}): Promise<AuditReport> {
  return verifyAuditLog(store, {
    ...OPTIONS,
    crossChecks: report => [certificateCheck(store.certificates(), sha256, report)],
    ...options,
  })
}
const codes = (report: AuditReport) =>
  report.findings.map(({ code, index }) => (index === undefined ? code : `${code} ${index}`))

test('finds nothing in an honest store, whatever its size', async () => {
  for (const size of [0, 1, 255, 256, 257, 700]) {
    const store = await honest(size, [0, Math.floor(size / 2), size])
    const report = await check(store)
    assert.deepEqual(report.findings, [], `${size} entries`)
    assert.equal(report.ok, true)
    assert.equal(report.size, size)
    assert.equal(report.signedSize, size)
    assert.equal(report.root, toHex(treeRoot(sha256, store.state)))
  }
})

test('finds nothing where the newest entries are not signed for yet, and says how far the signatures reach', async () => {
  const report = await check(await honest(600, [300]))
  assert.deepEqual(report.findings, [])
  assert.equal(report.signedSize, 300)
  assert.equal((await check(await honest(10, []))).signedSize, 0)
})

test('tells its progress, and stops when it is told to', async () => {
  const store = await honest(600)
  const seen: number[] = []
  await check(store, { onProgress: ({ entries, size }) => seen.push(entries, size) })
  assert.deepEqual(seen, [256, 600, 512, 600, 600, 600])
  await assert.rejects(check(store, { signal: AbortSignal.abort(new Error('enough')) }), { message: 'enough' })
})

test('names each entry that was altered', async () => {
  for (const [size, checkpoints] of [
    [100, [100]],
    [600, [600]],
    [600, [300]],
    [600, []],
  ] as const) {
    const store = await honest(size, checkpoints)
    for (const index of [0, 57, size - 1]) store.alter(index)
    const report = await check(store)
    assert.deepEqual(
      codes(report),
      ['audit.entry_altered 0', 'audit.entry_altered 57', `audit.entry_altered ${size - 1}`],
      `${size}, ${checkpoints}`,
    )
    assert.equal(report.ok, false)
    assert.match(report.findings[0]!.message, /now reads certificate.issued at 2700000000, .*serialNumber 00\./)
  }
})

test('names a tile that was altered under entries that are intact', async () => {
  for (const [level, index, position] of [
    [0, 0, 5],
    [0, 2, 80],
    [1, 0, 1],
  ] as const) {
    const store = await honest(600, [300, 600])
    store.tiles.get(`${level}/${index}`)![position * 32]! ^= 1
    const report = await check(store)
    assert.deepEqual(codes(report), ['audit.tile_altered'])
    assert.deepEqual(
      [
        report.findings[0]!.evidence['level'],
        report.findings[0]!.evidence['tile'],
        report.findings[0]!.evidence['position'],
      ],
      [level, index, position],
    )
    assert.equal(report.signedSize, 600)
  }
})

test('tells altered entries from altered tiles in the same log', async () => {
  const store = await honest(1000)
  store.alter(700)
  store.tiles.get('0/0')!.fill(0, 320, 352)
  const report = await check(store)
  // Tile 0 no longer leads to the signed root, so nothing tells which of entry 10 and its hash is the true one.
  assert.deepEqual(codes(report), ['audit.entry_mismatch 10', 'audit.entry_altered 700'])
})

test('names the range where an entry was altered together with its tile', async () => {
  const store = await honest(1000)
  store.alter(300)
  store.cover(300)
  const report = await check(store)
  assert.deepEqual(codes(report), ['audit.entries_altered 256'])
  assert.deepEqual(report.findings[0]!.evidence, { level: 1, tile: 0, position: 1, from: 256, to: 511 })
})

test('finds that the log was rewritten where entries, tiles and head all fit, by the checkpoint', async () => {
  const store = await honest(1000, [200, 400, 1000])
  store.stored[300] = encodeAuditEntry(refused(9999))
  store.rebuild()
  const finding = (await check(store)).findings.find(({ code }) => code === 'audit.log_rewritten')
  assert.deepEqual([finding?.evidence['from'], finding?.evidence['to']], [200, 399])
  assert.equal((await check(store)).signedSize, 200)
})

test('finds a rewritten log by a checkpoint that was kept elsewhere', async () => {
  const store = await honest(50)
  const kept = store.notes
  store.notes = []
  store.stored[20] = encodeAuditEntry(refused(9999))
  store.rows = store.rows.filter(({ auditIndex }) => auditIndex !== 20)
  store.rebuild()
  assert.deepEqual(
    (await check(store)).findings.map(({ code }) => code),
    [],
  )
  assert.deepEqual(codes(await check(store, { kept })), ['audit.log_rewritten 0'])
})

test('finds that the log was cut, though everything that is left fits', async () => {
  const store = await honest(600, [300, 600])
  store.stored.length = 400
  store.rebuild()
  store.rows = store.rows.filter(({ auditIndex }) => auditIndex < 400)
  const report = await check(store)
  assert.deepEqual(codes(report), ['audit.log_truncated'])
  assert.deepEqual(report.findings[0]!.evidence, { signedSize: 600, size: 400 })
})

test('names entries that are gone, and still knows that the others are intact', async () => {
  const store = await honest(600)
  store.gone.add(10).add(599)
  assert.deepEqual(codes(await check(store)), ['audit.entry_missing 10', 'audit.entry_missing 599'])
  store.tiles.delete('0/2')
  store.tiles.delete('0/0')
  const report = await check(store)
  assert.deepEqual(codes(report), [
    'audit.tile_missing',
    'audit.entry_missing 10',
    'audit.tile_missing',
    'audit.entry_missing 599',
  ])
})

test('names an altered entry though others are lost', async () => {
  const store = await honest(600)
  store.gone.add(10)
  store.tiles.delete('0/0')
  store.alter(300)
  assert.deepEqual(codes(await check(store)), [
    'audit.tile_missing',
    'audit.entry_missing 10',
    'audit.entry_altered 300',
  ])
})

test('ends soon where the head claims more entries than there ever were', async () => {
  const store = await honest(300)
  store.claimed = { size: 2 ** 50, root: treeRoot(sha256, store.state) }
  const report = await check(store)
  assert.ok(report.findings.some(({ code, index }) => code === 'audit.entry_missing' && index === 512))
  assert.ok(report.findings.length < 300)
})

test('names entries that stand beyond the head', async () => {
  const store = await honest(300)
  store.stored.push(encodeAuditEntry(refused(300)))
  assert.deepEqual(codes(await check(store)), ['audit.entry_unexpected 300'])
})

test('names tiles that are gone, and a head that is not the root of the entries', async () => {
  const store = await honest(600)
  store.tiles.delete('0/1')
  store.tiles.delete('1/0')
  assert.deepEqual(
    (await check(store)).findings.map(({ evidence }) => [evidence['level'], evidence['tile']]),
    [
      [0, 1],
      [1, 0],
    ],
  )
  const other = await honest(600)
  other.claimed = { size: 600, root: new Uint8Array(32) }
  assert.deepEqual(codes(await check(other)), ['audit.head_altered'])
})

test('names checkpoints that do not hold', async () => {
  const store = await honest(20, [10, 20])
  store.notes[0] = toUtf8(Buffer.from(store.notes[0]!).toString().replace('\n10\n', '\n11\n'))
  assert.deepEqual(codes(await check(store)), ['audit.checkpoint_invalid'])
  store.notes[0] = toUtf8('nonsense')
  assert.deepEqual((await check(store)).findings[0]!.evidence, { reason: 'merkle.note_malformed' })
  const turned = await honest(20, [10, 20])
  turned.notes.reverse()
  assert.deepEqual(codes(await check(turned)), ['audit.checkpoint_invalid'])
})

test('names an entry that was logged as it is and is no audit entry', async () => {
  const store = await honest(10, [])
  store.stored[4] = toUtf8('{}')
  store.rebuild()
  assert.deepEqual(codes(await check(store)), ['audit.entry_malformed 4'])
})

test('names a certificate whose bytes or names were altered', async () => {
  const store = await honest(100)
  store.rows[0] = { ...store.rows[0]!, der: der(77) }
  store.rows[10] = { ...store.rows[10]!, deviceId: deviceId('device0'), keyId: keyId(new Uint8Array(32)) }
  store.rows[20] = { ...store.rows[20]!, deviceId: null }
  const report = await check(store)
  assert.deepEqual(
    codes(report),
    [0, 10, 20].map(i => `audit.certificate_altered ${store.rows[i]!.auditIndex}`),
  )
  assert.match(report.findings[0]!.message, /its bytes/)
  assert.match(report.findings[1]!.message, /deviceId, keyId/)
})

test('names certificates that are gone, and certificates that were never logged', async () => {
  const store = await honest(100)
  const [removed] = store.rows.splice(5, 1)
  store.rows.push({ ...row(500), auditIndex: 2 }, { ...row(501), auditIndex: 5000 })
  const report = await check(store)
  assert.deepEqual(codes(report), [
    'audit.certificate_unlogged',
    `audit.certificate_missing ${removed!.auditIndex}`,
    'audit.certificate_unlogged',
  ])
  const twice = await honest(100)
  twice.rows.push(row(0))
  assert.deepEqual(codes(await check(twice)), ['audit.certificate_unlogged'])
})

test('names a status that is not the last one of the log', async () => {
  const store = await honest(12, [])
  const set = (index: number, status: CertificateFacts['status']) => {
    const i = store.rows.findIndex(each => each.auditIndex === index)
    store.rows[i] = { ...store.rows[i]!, status }
  }
  store.add([
    changed(12, 0, 'certificate.revoked'),
    changed(13, 1, 'certificate.held'),
    changed(14, 3, 'certificate.held'),
    changed(15, 3, 'certificate.released'),
    changed(16, 4, 'certificate.held'),
    changed(17, 4, 'certificate.revoked'),
    { ...changed(18, 6, 'certificate.revoked'), outcome: 'refused', code: 'access.forbidden' },
  ])
  await store.checkpoint()
  set(0, { kind: 'revoked', at: at(12), reason: 'keyCompromise', invalidityDate: null })
  set(1, { kind: 'held', at: at(13), invalidityDate: null, ends: null })
  set(4, { kind: 'revoked', at: at(17), reason: 'keyCompromise', invalidityDate: null })
  assert.deepEqual((await check(store)).findings, [])

  set(0, { kind: 'good' })
  set(1, { kind: 'held', at: at(13) + 1, invalidityDate: null, ends: null })
  set(4, { kind: 'revoked', at: at(17), reason: 'superseded', invalidityDate: null })
  set(6, { kind: 'revoked', at: at(18), reason: 'keyCompromise', invalidityDate: null })
  const report = await check(store)
  assert.deepEqual(codes(report), [
    'audit.status_altered 12',
    'audit.status_altered 13',
    'audit.status_altered 17',
    'audit.status_altered',
  ])
  assert.match(
    report.findings[0]!.message,
    /is good in the store and revoked at 1700000012 for keyCompromise by the log/,
  )
})

test('accuses no certificate on the word of an entry that was altered', async () => {
  const store = await honest(100)
  store.alter(0)
  assert.deepEqual(codes(await check(store)), ['audit.entry_altered 0'])
})

test('reports a thousand findings and counts the rest', async () => {
  const store = await honest(1600)
  store.rows = []
  const report = await check(store)
  assert.equal(report.findings.length, 1000)
  assert.equal(report.omitted, 1600 - 533 - 1000)
})

test('finds nothing in an honest store that grows while it is verified', async () => {
  for (const size of [10, 255, 600, 1000]) {
    const store = await honest(size)
    let left = 3
    const grow = async () => {
      if (left-- <= 0) return
      const index = store.stored.length
      store.rows.push({
        ...row(index),
        status: { kind: 'revoked', at: at(index + 2), reason: 'keyCompromise', invalidityDate: null },
      })
      store.rows[1] = {
        ...store.rows[1]!,
        status: { kind: 'held', at: at(index + 1), invalidityDate: null, ends: null },
      }
      store.add([
        issued(index),
        changed(index + 1, 1, 'certificate.held'),
        changed(index + 2, index, 'certificate.revoked'),
      ])
      store.add(Array.from({ length: 300 }, (_, i) => refused(index + 3 + i)))
      await store.checkpoint()
    }
    const source: AuditSource = {
      head: async () => {
        const head = await store.head()
        await grow()
        return head
      },
      entries: from => store.entries(from),
      tile: (level, index) => store.tile(level, index),
      checkpoints: () => store.checkpoints(),
    }
    const report = await verifyAuditLog(source, {
      ...OPTIONS,
      onProgress: () => void grow(),
      crossChecks: report => [certificateCheck(store.certificates(), sha256, report)],
    })
    assert.deepEqual(report.findings, [], `${size} entries`)
    assert.equal(report.size, size)
  }
})

test('counts the hashes that differ beyond the thousandth, and stays quick', async () => {
  const store = await honest(2000)
  for (let index = 0; index < 2000; index++) store.alter(index)
  const report = await check(store)
  assert.ok(report.findings.every(({ code }) => code === 'audit.entry_altered'))
  // Of the level 1 hashes over them, each differs too.
  assert.equal(report.findings.length + report.omitted, 2000 + 7)
})

test('lets go of what it reads, also when it is stopped', async () => {
  const store = await honest(600)
  const open = new Set<string>()
  const tracked = async function* <T>(name: string, items: AsyncIterable<T>): AsyncGenerator<T> {
    open.add(name)
    try {
      yield* items
    } finally {
      open.delete(name)
    }
  }
  const controller = new AbortController()
  const source: AuditSource = {
    head: () => store.head(),
    entries: from => tracked('entries', store.entries(from)),
    tile: (level, index) => store.tile(level, index),
    checkpoints: () => tracked('checkpoints', store.checkpoints()),
  }
  const run = verifyAuditLog(source, {
    ...OPTIONS,
    crossChecks: report => [certificateCheck(tracked('certificates', store.certificates()), sha256, report)],
    onProgress: () => {
      assert.equal(open.size, 3)
      controller.abort()
    },
    signal: controller.signal,
  })
  await assert.rejects(run, { name: 'AbortError' })
  assert.deepEqual([...open], [])
})

test('verifies a store through its reader', async t => {
  const { store, clock } = await testInstance(t)
  const statement = { origin: ORIGIN, ...(await store.read.auditHead()), extensions: [] }
  const note = await signCheckpoint({ ...statement, root: new Uint8Array(statement.root) }, [SIGNER])
  await store.saveCheckpoint({ size: statement.size, note, at: clock.now() })
  const report = await verifyStore(store.read, OPTIONS)
  assert.deepEqual([report.ok, report.size, report.signedSize], [true, statement.size, statement.size])
  const withoutFirst = new Proxy(store.read, {
    get: (target, name) => {
      if (name !== 'allCertificates') return Reflect.get(target, name)
      return async function* () {
        let first = true
        for await (const row of target.allCertificates()) {
          if (!first) yield row
          first = false
        }
      }
    },
  })
  const { findings } = await verifyStore(withoutFirst, OPTIONS)
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['audit.certificate_missing'],
  )
})
