// The end of a device at the command line, beside a running server: forms that scripts rely on, and a certificate of destruction that an
// outsider checks with OpenSSL and with RFC 9162, C2SP tlog-checkpoint and signed-note written out here. Nothing is imported from the sources.
import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { inflateSync } from 'node:zlib'
import { LiveServer } from '../support/live-server.ts'
import { hasTool, requireTool } from '../support/tools.ts'

const sha256 = (...parts: readonly (Uint8Array | string)[]) => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** RFC 9162 2.1.3.2. */
function rootOfPath(index: number, size: number, leaf: Buffer, path: readonly Buffer[]): Buffer {
  let [fn, sn, r] = [index, size - 1, leaf]
  for (const p of path) {
    assert.notEqual(sn, 0)
    if (fn % 2 === 1 || fn === sn) {
      r = sha256(Uint8Array.of(1), p, r)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1]
    } else r = sha256(Uint8Array.of(1), r, p)
    ;[fn, sn] = [fn >> 1, sn >> 1]
  }
  assert.equal(sn, 0)
  return r
}

/** Size and root of a checkpoint whose Ed25519 signature (C2SP signed-note, type 0x01) verifies. */
function openCheckpoint(note: string, verifierKey: string): { size: number; root: Buffer } {
  const split = note.lastIndexOf('\n\n')
  const [text, signatures] = [note.slice(0, split + 1), note.slice(split + 2)]
  const [name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(verifierKey)!.slice(1)
  const key = Buffer.from(encoded, 'base64')
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)])
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  const line = signatures.split('\n').find(each => each.startsWith(`— ${name} `))!
  const signature = Buffer.from(line.split(' ')[2]!, 'base64')
  assert.equal(signature.subarray(0, 4).toString('hex'), id)
  assert.ok(verify(null, Buffer.from(text), publicKey, signature.subarray(4)), 'the checkpoint is signed by the log')
  const [origin, size, root] = text.split('\n') as [string, string, string]
  assert.equal(origin, name)
  return { size: Number(size), root: Buffer.from(root, 'base64') }
}

/** The text of the pages, without a reader of PDF: streams inflated, strings of the text operators decoded (ISO 32000-1 9.4.3). */
function textOfPdf(pdf: Buffer): string {
  const lines: string[] = []
  for (const [, stream] of pdf.toString('latin1').matchAll(/stream\n([\s\S]*?)\nendstream/g)) {
    let content: string
    try {
      content = inflateSync(Buffer.from(stream!, 'latin1')).toString('latin1')
    } catch {
      continue
    }
    for (const [, shown] of content.matchAll(/\[([^\]]*)\] TJ/g)) {
      const hex = [...shown!.matchAll(/<([0-9a-f]*)>/g)].map(match => match[1]).join('')
      lines.push(Buffer.from(hex, 'hex').toString('latin1'))
    }
  }
  return lines.join('\n')
}

interface Shown {
  readonly device: { readonly state: string }
  readonly properties: readonly { readonly name: string }[]
  readonly keys: readonly { readonly state: string }[]
  readonly certificates: readonly { readonly status: string; readonly reason?: string }[]
}

describe('the end of a device, beside a running server', () => {
  let server: LiveServer
  const show = () => server.json<Shown>(['device', 'show', 'SN-1'])
  const act = (name: string, ...more: string[]) =>
    server.json<{ device: { state: string }; from: string; certificates: unknown[]; keys: unknown[] }>([
      'device',
      name,
      'SN-1',
      '--data',
      server.data,
      ...more,
    ])

  before(async () => {
    server = await LiveServer.start()
    const token = await server.token('SN-1')
    await server.sh(
      `touchmark agent enroll --server "$URL" --trust "$ROOTS" --serial SN-1 --model gateway --token ${token} --dir identity`,
    )
  })
  after(() => server[Symbol.asyncDispose]())

  test('suspend and resume: the forms, and what they did', async () => {
    const suspended = await act('suspend', '--because', 'INC-4711')
    assert.deepEqual(
      [suspended.device.state, suspended.from, suspended.certificates.length],
      ['suspended', 'active', 1],
    )
    assert.deepEqual(
      (await show()).certificates.map(({ status }) => status),
      ['held'],
    )
    const again = await act('suspend')
    assert.deepEqual([again.from, again.certificates, again.keys], ['suspended', [], []])
    const resumed = await act('resume')
    assert.deepEqual([resumed.device.state, resumed.certificates.length], ['active', 1])
    const shown = await show()
    assert.deepEqual([shown.certificates[0]?.status, shown.keys[0]?.state], ['good', 'established'])
  })

  test('a move that is not legal is refused with its code and leaves everything as it was', async () => {
    for (const name of ['destroy', 'ship']) {
      const { code, stdout } = await server.cli(['device', name, 'SN-1', '--json'])
      assert.notEqual(code, 0)
      assert.equal(JSON.parse(stdout).error.code, 'device.move_not_allowed', name)
    }
    const early = await server.cli(['device', 'destruction-certificate', 'SN-1', '--output', 'x', '--json'])
    assert.equal(JSON.parse(early.stdout).error.code, 'device.not_destroyed')
    assert.equal((await show()).device.state, 'active')
  })

  test('retire and destroy: in words, with what remains; what is personal goes', async () => {
    await server.sh(
      'touchmark device set SN-1 owner=acme site=berlin && touchmark device set SN-1 attribute:contact=Ada --personal',
    )
    const retired = await server.cli(['device', 'retire', 'SN-1'])
    assert.equal(retired.code, 0, retired.stderr)
    assert.match(retired.stdout, /SN-1 \(gateway\) is retired\. 1 certificate revoked, 1 key archived/)
    assert.match(retired.stderr, /touchmark device destroy SN-1/)
    writeFileSync(server.folder.join('witness.txt'), 'Shredded on line 4, protocol 77.\n')
    const destroyed = await server.cli(['device', 'destroy', 'SN-1', '--witness', 'witness.txt', '--erase'])
    assert.equal(destroyed.code, 0, destroyed.stderr)
    assert.match(destroyed.stdout, /is destroyed\. 1 key beyond use, 1 personal property erased\./)
    const shown = await show()
    assert.deepEqual(
      [shown.device.state, shown.keys[0]?.state, shown.certificates[0]?.reason],
      ['destroyed', 'destroyed', 'cessationOfOperation'],
    )
    assert.deepEqual(
      shown.properties.map(({ name }) => name),
      ['owner', 'site'],
    )
  })

  test('the certificate of destruction stands without us: signature, log entry, inclusion, checkpoint', async t => {
    await server.sh('touchmark device destruction-certificate SN-1 --output out')
    const file = (name: string) => readFileSync(server.folder.join('out', name))
    const whole = JSON.parse(file('certificate-of-destruction.json').toString())
    const octets = Buffer.from(whole.octets, 'base64')
    assert.deepEqual(file('facts.json'), octets)
    assert.deepEqual(file('facts.json.p7s'), Buffer.from(whole.signature, 'base64'))
    assert.deepEqual(JSON.parse(octets.toString()), whole.facts)
    const { device, keys, certificates, statements } = whole.facts
    assert.deepEqual([device.model, device.serialNumber], ['gateway', 'SN-1'])
    const witness = sha256(readFileSync(server.folder.join('witness.txt'))).toString('hex')
    assert.deepEqual([keys.length, keys[0].statementSha256, statements[0].sha256], [1, witness, witness])
    assert.deepEqual([certificates.length, certificates[0].reason], [1, 'cessationOfOperation'])

    const { index, entry, proof, checkpoint } = whole.logEntry
    const logged = JSON.parse(entry)
    assert.deepEqual([logged.action, logged.subject.deviceId], ['device.destruction_certified', device.id])
    assert.equal(logged.detail.certificateOfDestructionSha256, sha256(octets).toString('hex'))
    const { size, root } = openCheckpoint(checkpoint, whole.verifierKeys[0])
    const path = proof.map((hash: string) => Buffer.from(hash, 'base64'))
    assert.deepEqual(rootOfPath(index, size, sha256(Uint8Array.of(0), entry), path), root)
    assert.equal(
      file('log-entry.tlog-proof').toString(),
      `c2sp.org/tlog-proof@v1\nindex ${index}\n${proof.join('\n')}\n\n${checkpoint}`,
    )

    if (!requireTool(t, 'openssl')) return
    const check = (facts: string) =>
      server.run(
        `openssl cms -verify -binary -inform DER -in out/facts.json.p7s -content ${facts} -CAfile "$ROOTS" -purpose any -out /dev/null`,
      )
    assert.equal((await check('out/facts.json')).code, 0)
    writeFileSync(server.folder.join('forged.json'), octets.toString().replace('SN-1', 'SN-2'))
    assert.notEqual((await check('forged.json')).code, 0)
  })

  test('it is made again with the same facts and the same entry of the log', async () => {
    const before = JSON.parse(readFileSync(server.folder.join('out', 'certificate-of-destruction.json'), 'utf8'))
    await server.sh('touchmark device destruction-certificate SN-1 --output again')
    const after = JSON.parse(readFileSync(server.folder.join('again', 'certificate-of-destruction.json'), 'utf8'))
    assert.deepEqual([after.octets, after.logEntry.index], [before.octets, before.logEntry.index])
  })

  test('the PDF opens and says the same', async () => {
    const pdf = readFileSync(server.folder.join('out', 'certificate-of-destruction.pdf'))
    assert.equal(pdf.subarray(0, 8).toString(), '%PDF-1.7')
    assert.match(pdf.subarray(-32).toString('latin1'), /startxref\n\d+\n%%EOF\n$/)
    assert.match(pdf.toString('latin1'), /\/Marked true/)
    const text = hasTool('pdftotext')
      ? await server.sh('pdftotext -layout out/certificate-of-destruction.pdf -')
      : textOfPdf(pdf)
    const { facts, logEntry } = JSON.parse(
      readFileSync(server.folder.join('out', 'certificate-of-destruction.json'), 'utf8'),
    )
    for (const fact of [
      'Certificate of destruction',
      'SN-1',
      facts.keys[0].id,
      facts.device.destroyedAt,
      String(logEntry.index),
    ]) {
      assert.ok(text.includes(fact), fact)
    }
  })

  test('what a device wiped by itself is beyond use by its own signed word', async () => {
    const token = await server.token('SN-2')
    await server.sh(
      `touchmark agent enroll --server "$URL" --trust "$ROOTS" --serial SN-2 --model gateway --token ${token} --dir second
       touchmark device retire SN-2
       touchmark agent run --dir second --once || true`,
    )
    const shown = await server.json<Shown & { statements: { kind: string }[] }>(['device', 'show', 'SN-2'])
    assert.deepEqual([shown.device.state, shown.keys[0]?.state], ['retired', 'destroyed'])
    assert.deepEqual(
      shown.statements.map(({ kind }) => kind),
      ['wipe'],
    )
    const destroyed = await server.json<{ keys: unknown[] }>(['device', 'destroy', 'SN-2'])
    assert.deepEqual(destroyed.keys, [], 'no witness is needed')
    await server.sh('touchmark device destruction-certificate SN-2 --output second-destroyed')
    const { keys, statements } = JSON.parse(readFileSync(server.folder.join('second-destroyed', 'facts.json'), 'utf8'))
    assert.deepEqual(
      [statements.length, statements[0].kind, keys[0].statementSha256],
      [1, 'wipe', statements[0].sha256],
    )
  })

  test('the store is what the log says', async () => {
    assert.equal((await server.json<{ ok: boolean }>(['audit', 'verify'])).ok, true)
    await server.assertInvariants()
  })
})

describe('groups and owners at the command line', () => {
  let server: LiveServer
  before(async () => {
    server = await LiveServer.prepare()
    await server.tokens(['SN-1', 'SN-2', 'SN-3'])
    await server.sh('for s in SN-1 SN-2; do touchmark device set $s site=berlin label:line=3; done')
  })
  after(() => server[Symbol.asyncDispose]())

  const serials = (lines: string) =>
    lines
      .trim()
      .split('\n')
      .map(line => JSON.parse(line).serialNumber)
      .sort()

  test('a group is saved, listed, shown and asked, and may be narrowed', async () => {
    await server.sh('touchmark group save berlin --site berlin --label line=3 --description "Line 3"')
    assert.deepEqual(serials(await server.sh('touchmark group devices berlin --json')), ['SN-1', 'SN-2'])
    const narrowed = 'touchmark device list --group berlin --state manufactured --model gateway --json'
    assert.deepEqual(serials(await server.sh(narrowed)), ['SN-1', 'SN-2'])
    const contradiction = await server.cli(['device', 'list', '--group', 'berlin', '--site', 'paris', '--json'])
    assert.equal(JSON.parse(contradiction.stdout).error.code, 'group.condition_differs')
    await server.sh('touchmark group save berlin --site berlin --state active')
    assert.equal((await server.sh('touchmark group devices berlin --json')).trim(), '')
    const [saved] = await server.json<{ name: string; version: number }[]>(['group', 'list'])
    assert.deepEqual([saved?.name, saved?.version], ['berlin', 2])
    assert.match(await server.sh('touchmark group show berlin'), /site berlin/)
  })

  test('a list goes on where it ended', async () => {
    const first = await server.run('touchmark device list --site berlin --limit 1')
    const place = /--after (\S+)/.exec(first.stderr)?.[1]
    assert.ok(place)
    const rest = serials(await server.sh(`touchmark device list --site berlin --limit 5 --after ${place} --json`))
    assert.equal(rest.length, 1)
  })

  test('a device changes hands by signatures made with openssl', async t => {
    if (!requireTool(t, 'openssl')) return
    await server.sh(`
      for o in acme beta; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$o" -days 30 -keyout $o.key -out $o.pem 2>/dev/null
        touchmark owner add $o --certificate $o.pem
      done
      touchmark device set SN-3 owner=acme
      id=$(touchmark device transfer SN-3 --to beta --new-key --json | sed -E 's/.*"id":"([0-9a-f]{32})".*/\\1/')
      touchmark device transfer-statement $id > statement.json
      for o in acme beta; do
        openssl cms -sign -binary -in statement.json -signer $o.pem -inkey $o.key -outform DER -out $o.p7s
        touchmark device transfer-accept $id --signature $o.p7s
      done`)
    const shown = await server.json<{ properties: { name: string; value: string }[]; transfers: { state: string }[] }>([
      'device',
      'show',
      'SN-3',
    ])
    assert.deepEqual(
      [shown.properties.find(({ name }) => name === 'owner')?.value, shown.transfers.map(({ state }) => state)],
      ['beta', ['effective']],
    )
    assert.equal((await server.json<{ ok: boolean }>(['audit', 'verify'])).ok, true)
  })
})
