// The log as an auditor from outside reads it: C2SP tlog-checkpoint, signed-note and tlog-tiles, and RFC 9162 2.1, written out here with
// node:crypto alone. Nothing is imported from the sources. And what `touchmark audit verify` says of a database that somebody edited.
import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LiveServer } from '../support/live-server.ts'

const UNITS = 300

const sha256 = (...parts: readonly (Uint8Array | string)[]) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
/** RFC 9162 2.1.1. */
const leafHash = (entry: Uint8Array) => sha256(Uint8Array.of(0), entry)
const nodeHash = (left: Uint8Array, right: Uint8Array) => sha256(Uint8Array.of(1), left, right)

function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0]!
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return nodeHash(treeHash(leaves.slice(0, k)), treeHash(leaves.slice(k)))
}

/** RFC 9162 2.1.3.1. */
function inclusionPath(index: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return []
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return index < k
    ? [...inclusionPath(index, leaves.slice(0, k)), treeHash(leaves.slice(k))]
    : [...inclusionPath(index - k, leaves.slice(k)), treeHash(leaves.slice(0, k))]
}

/** RFC 9162 2.1.3.2. */
function rootOfPath(index: number, size: number, leaf: Buffer, path: readonly Buffer[]): Buffer {
  let [fn, sn, r] = [index, size - 1, leaf]
  for (const p of path) {
    assert.notEqual(sn, 0)
    if (fn % 2 === 1 || fn === sn) {
      r = nodeHash(p, r)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1]
    } else r = nodeHash(r, p)
    ;[fn, sn] = [fn >> 1, sn >> 1]
  }
  assert.equal(sn, 0)
  return r
}

interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Buffer
}

/** C2SP signed-note with an Ed25519 key (type 0x01), and tlog-checkpoint inside it. */
function openCheckpoint(note: string, verifierKey: string): Checkpoint {
  const split = note.lastIndexOf('\n\n')
  const [text, signatures] = [note.slice(0, split + 1), note.slice(split + 2)]
  const [name = '', keyHash, encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(verifierKey)!.slice(1)
  const key = Buffer.from(encoded, 'base64')
  assert.equal(key[0], 0x01)
  assert.equal(
    sha256(name, '\n', key).subarray(0, 4).toString('hex'),
    keyHash,
    'the key id is the hash of name and key',
  )
  const line = signatures.split('\n').find(each => each.startsWith(`— ${name} `))
  const signature = Buffer.from(line!.split(' ')[2]!, 'base64')
  assert.equal(signature.subarray(0, 4).toString('hex'), keyHash)
  const publicKey = createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]),
    format: 'der',
    type: 'spki',
  })
  assert.ok(verify(null, Buffer.from(text), publicKey, signature.subarray(4)), 'the signature verifies')
  const [origin = '', size, root] = text.split('\n')
  assert.match(size!, /^(0|[1-9]\d*)$/)
  return { origin, size: Number(size), root: Buffer.from(root!, 'base64') }
}

/** C2SP tlog-tiles: `tile/<level>/<index>[.p/<width>]`, the index in groups of three digits. */
function tileAddress(level: number | 'entries', index: number, width: number): string {
  const groups = [String(index % 1000).padStart(3, '0')]
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`)
  }
  return `tile/${level}/${groups.join('/')}${width === 256 ? '' : `.p/${width}`}`
}

/** Entries of a bundle: each a length of two octets and the octets. */
function bundleEntries(bundle: Buffer): Buffer[] {
  const entries: Buffer[] = []
  for (let at = 0; at < bundle.length; ) {
    const length = bundle.readUInt16BE(at)
    entries.push(bundle.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return entries
}

describe('the log, read from outside (C2SP tlog-tiles)', () => {
  let server: LiveServer
  let checkpoint: Checkpoint
  let entries: Buffer[]
  let kept: string

  const get = async (path: string) => {
    const reply = await fetch(`${server.httpUrl}/log/${path}`)
    assert.equal(reply.status, 200, path)
    return Buffer.from(await reply.arrayBuffer())
  }

  before(async () => {
    server = await LiveServer.prepare()
    const rows = Array.from({ length: UNITS }, (_, i) => {
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      return `SN-${String(i).padStart(4, '0')},gateway,${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
    })
    writeFileSync(server.folder.join('units.csv'), ['serial,model,public_key', ...rows, ''].join('\n'))
    await server.json([
      'batch',
      '--input',
      'units.csv',
      '--profile',
      'idevid',
      '--output',
      'factory',
      '--certificate-files',
    ])
    await server.serve()
    const { serialNumber } = (await server.device('SN-0007')).certificates[0]!
    await server.json(['revoke', '--certificate', serialNumber, '--reason', 'keyCompromise'])
  })
  after(() => server[Symbol.asyncDispose]())

  test('the checkpoint is signed, and soon covers a revocation made by another process', async () => {
    const key = (await get('key')).toString().trim()
    const configured = JSON.parse(readFileSync(`${server.data}/touchmark.json`, 'utf8')).log
    assert.equal(key, configured.verifierKeys[0])
    const { auditEntries } = await server.counts()
    for (let round = 0; round < 100; round++) {
      kept = (await get('checkpoint')).toString()
      checkpoint = openCheckpoint(kept, key)
      if (checkpoint.size >= auditEntries) break
      await sleep(100)
    }
    assert.ok(checkpoint.size >= auditEntries)
    assert.equal(checkpoint.origin, configured.origin)
  })

  test('the root follows from the entries (RFC 9162 2.1.1)', async () => {
    entries = []
    for (let index = 0; index * 256 < checkpoint.size; index++) {
      const width = Math.min(256, checkpoint.size - index * 256)
      entries.push(...bundleEntries(await get(tileAddress('entries', index, width))))
    }
    assert.equal(entries.length, checkpoint.size)
    assert.ok(entries.length > 256, 'more than one tile')
    assert.deepEqual(treeHash(entries.map(leafHash)), checkpoint.root)
  })

  test('the tiles hold the hashes of the entries, level by level', async () => {
    let hashes: Buffer[] = entries.map(leafHash)
    for (let level = 0; hashes.length > 0; level++) {
      const above: Buffer[] = []
      for (let index = 0; index * 256 < hashes.length; index++) {
        const tile = hashes.slice(index * 256, (index + 1) * 256)
        assert.deepEqual(await get(tileAddress(level, index, tile.length)), Buffer.concat(tile), `${level}/${index}`)
        if (tile.length === 256) above.push(treeHash(tile))
      }
      hashes = above
    }
    assert.equal((await fetch(`${server.httpUrl}/log/${tileAddress(0, 5000, 256)}`)).status, 404)
  })

  test('every certificate of the batch is included (RFC 9162 2.1.3)', async () => {
    const leaves = entries.map(leafHash)
    const issued = new Map(
      entries.flatMap((entry, index) => {
        const { action, subject } = JSON.parse(entry.toString())
        return action === 'certificate.issued' ? [[subject.certificateSha256, index] as const] : []
      }),
    )
    for (let i = 0; i < UNITS; i += 37) {
      const name = `gateway+SN-${String(i).padStart(4, '0')}.pem`
      const certificate = new X509Certificate(readFileSync(server.folder.join('factory', 'certificates', name)))
      const index = issued.get(sha256(certificate.raw).toString('hex'))
      assert.ok(index !== undefined, name)
      const root = rootOfPath(index, entries.length, leaves[index]!, inclusionPath(index, leaves))
      assert.deepEqual(root, checkpoint.root)
    }
  })

  test('an entry names no person and no secret', () => {
    const text = Buffer.concat(entries).toString()
    assert.doesNotMatch(text, /Acme|SN-\d|127\.0\.0\.1|::1/)
  })

  interface Finding {
    readonly code: string
    readonly message: string
    readonly index?: number
  }

  describe('touchmark audit verify names what was altered', () => {
    let serialNumber: string
    let auditIndex: number
    let revoked: string
    before(async () => {
      const [certificate] = (await server.device('SN-0042')).certificates
      serialNumber = certificate!.serialNumber
      auditIndex = certificate!.auditIndex
      revoked = (await server.device('SN-0007')).certificates[0]!.serialNumber
      await server.stop()
      writeFileSync(server.folder.join('kept.txt'), kept)
    })

    /** A copy of the installation, edited behind its back. */
    async function verifyAfter(edit: (database: DatabaseSync) => void, more: readonly string[] = []) {
      const copy = server.folder.join(`copy-${Math.floor(performance.now() * 1000)}`)
      cpSync(server.data, copy, { recursive: true })
      const database = new DatabaseSync(`${copy}/touchmark.db`)
      edit(database)
      database.close()
      const { code, stdout, stderr } = await server.cli(['audit', 'verify', '--data', copy, '--json', ...more])
      assert.notEqual(stdout, '', stderr)
      return { code, report: JSON.parse(stdout) as { ok: boolean; size: number; findings: Finding[] } }
    }
    const of = (hex: string) => Buffer.from(hex, 'hex')
    const found = ({ report }: { report: { findings: Finding[] } }) => report.findings.map(each => each.code)

    test('nothing, when nothing was', async () => {
      const { code, report } = await verifyAfter(() => undefined)
      assert.deepEqual([code, report.ok, report.findings], [0, true, []])
    })

    test('one octet of a certificate', async () => {
      const result = await verifyAfter(database => {
        const { der } = database
          .prepare('SELECT der FROM certificate WHERE serial_number = ?')
          .get(of(serialNumber)) as {
          der: Uint8Array
        }
        der[der.length - 1]! ^= 1
        database.prepare('UPDATE certificate SET der = ? WHERE serial_number = ?').run(der, of(serialNumber))
      })
      assert.equal(result.code, 1)
      assert.deepEqual(found(result), ['audit.certificate_altered'])
      assert.equal(result.report.findings[0]!.index, auditIndex)
      assert.match(result.report.findings[0]!.message, new RegExp(serialNumber))
    })

    test('a certificate that was deleted', async () => {
      const result = await verifyAfter(database =>
        database.prepare('DELETE FROM certificate WHERE serial_number = ?').run(of(serialNumber)),
      )
      assert.equal(result.code, 1)
      assert.deepEqual(found(result), ['audit.certificate_missing'])
      assert.match(result.report.findings[0]!.message, new RegExp(serialNumber))
    })

    test('a certificate that was slipped in', async () => {
      const result = await verifyAfter(database => {
        database.exec('CREATE TEMP TABLE one AS SELECT * FROM certificate LIMIT 1')
        database.exec("UPDATE one SET audit_index = 5, serial_number = x'0badc0de'")
        database.exec('INSERT INTO certificate SELECT * FROM one')
      })
      assert.equal(result.code, 1)
      assert.deepEqual(found(result), ['audit.certificate_unlogged'])
      assert.match(result.report.findings[0]!.message, /0badc0de/)
    })

    test('a revocation that was taken back', async () => {
      const result = await verifyAfter(database =>
        database
          .prepare(
            "UPDATE certificate SET status = 'good', status_at = NULL, status_reason = NULL WHERE serial_number = ?",
          )
          .run(of(revoked)),
      )
      assert.equal(result.code, 1)
      assert.deepEqual(found(result), ['audit.status_altered'])
      assert.match(
        result.report.findings[0]!.message,
        new RegExp(`${revoked}.* is good .*revoked at \\d+ for keyCompromise`),
      )
    })

    test('an entry that was rewritten', async () => {
      const result = await verifyAfter(database => {
        const { bytes } = database.prepare('SELECT bytes FROM log_entry WHERE entry_index = 40').get() as {
          bytes: Uint8Array
        }
        const text = Buffer.from(bytes).toString().replace('"at":1', '"at":2')
        database.prepare('UPDATE log_entry SET bytes = ? WHERE entry_index = 40').run(Buffer.from(text))
      })
      assert.equal(result.code, 1)
      assert.deepEqual(found(result), ['audit.entry_altered'])
      assert.equal(result.report.findings[0]!.index, 40)
    })

    test('an entry that was deleted', async () => {
      const result = await verifyAfter(database => database.exec('DELETE FROM log_entry WHERE entry_index = 40'))
      assert.equal(result.code, 1)
      assert.ok(result.report.findings.some(each => each.code === 'audit.entry_missing' && each.index === 40))
    })

    test('a hash in a tile', async () => {
      const result = await verifyAfter(database => {
        const { hashes } = database.prepare('SELECT hashes FROM log_tile WHERE level = 0 AND tile_index = 1').get() as {
          hashes: Uint8Array
        }
        hashes[32 * 7]! ^= 1
        database.prepare('UPDATE log_tile SET hashes = ? WHERE level = 0 AND tile_index = 1').run(hashes)
      })
      assert.equal(result.code, 1)
      assert.deepEqual(found(result), ['audit.tile_altered'])
      assert.match(result.report.findings[0]!.message, /Hash 7 of tile 1 of level 0/)
    })

    test('a log that was cut short and made to fit: against the checkpoint, and against one that was kept elsewhere', async () => {
      const cut = (database: DatabaseSync) => {
        const { size } = database.prepare('SELECT max(size) AS size FROM log_checkpoint').get() as { size: number }
        const leaves = (
          database.prepare('SELECT bytes FROM log_entry ORDER BY entry_index').all() as { bytes: Uint8Array }[]
        )
          .slice(0, 256)
          .map(({ bytes }) => leafHash(bytes))
        assert.ok(size > 256)
        database.exec('DELETE FROM log_entry WHERE entry_index >= 256')
        database.exec('DELETE FROM certificate WHERE audit_index >= 256')
        database.exec("UPDATE certificate SET status = 'good', status_at = NULL, status_reason = NULL")
        database.exec('DELETE FROM log_tile WHERE NOT (level = 0 AND tile_index = 0)')
        database.prepare('INSERT INTO log_tile VALUES (1, 0, ?)').run(treeHash(leaves))
        database.prepare('UPDATE head SET log_size = 256, log_root = ?').run(treeHash(leaves))
      }
      const against = await verifyAfter(cut)
      assert.equal(against.code, 1)
      assert.ok(found(against).includes('audit.log_truncated'), found(against).join())
      const alone = await verifyAfter(
        database => {
          cut(database)
          database.exec('DELETE FROM log_checkpoint')
        },
        ['--checkpoint', server.folder.join('kept.txt')],
      )
      assert.equal(alone.code, 1)
      assert.ok(found(alone).includes('audit.log_truncated'), found(alone).join())
    })

    test('a checkpoint whose signature was changed', async () => {
      const result = await verifyAfter(database => {
        const { note, size } = database.prepare('SELECT note, size FROM log_checkpoint ORDER BY size DESC').get() as {
          note: string
          size: number
        }
        const at = note.lastIndexOf(' ') + 20
        const other = note[at] === 'A' ? 'B' : 'A'
        const changed = note.slice(0, at) + other + note.slice(at + 1)
        database.prepare('UPDATE log_checkpoint SET note = ? WHERE size = ?').run(changed, size)
      })
      assert.equal(result.code, 1)
      assert.deepEqual(found(result), ['audit.checkpoint_invalid'])
    })
  })
})
