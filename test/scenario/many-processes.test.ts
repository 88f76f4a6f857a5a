// One data folder, many processes: a server under load, a batch, tokens and revocations at the same time. All come to their end, none loses
// anything, and the log is one.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { https } from '../support/https.ts'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

const UNITS = 1200
const DEVICES = 8

test('server, batch, tokens, revocations and verification at once on one data folder', async t => {
  if (!requireTool(t, 'openssl')) return
  await using server = await LiveServer.start()
  const units = Array.from({ length: UNITS }, (_, i) => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return `UNIT-${i},${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
  })
  writeFileSync(server.folder.join('units.csv'), ['serial,public_key', ...units, ''].join('\n'))
  const ca = readFileSync(server.roots, 'utf8')
  const serials = Array.from({ length: DEVICES }, (_, i) => `SN-${i}`)
  const tokens = await server.tokens(serials)
  await server.sh(`
    for i in $(seq 0 ${DEVICES - 1}) late; do
      openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $i.key -subj /serialNumber=SN-$i -outform DER 2>/dev/null \\
        | openssl base64 > $i.b64
    done`)
  const enrol = (serial: string, token: string) =>
    https(`${server.est}/simpleenroll`, {
      method: 'POST',
      ca,
      headers: {
        'content-type': 'application/pkcs10',
        authorization: `Basic ${Buffer.from(`${serial}:${token}`).toString('base64')}`,
      },
      body: readFileSync(server.folder.join(`${serial.slice(3)}.b64`)),
    })

  const batch = ['batch', '--input', 'units.csv', '--profile', 'idevid']
  const enrolments = async () => {
    for (const serial of serials) {
      const answer = await enrol(serial, tokens.get(serial)!)
      assert.equal(answer.status, 200, answer.text)
    }
  }
  const revocations = async () => {
    for (const serial of serials.slice(0, 3)) {
      while ((await server.device(serial)).certificates.length === 0)
        await new Promise(resolve => setTimeout(resolve, 20))
      const done = await server.json<{ changed: unknown[] }>(['revoke', '--device', serial, '--reason', 'superseded'])
      assert.equal(done.changed.length, 1)
    }
  }
  const late = async () => {
    const args = ['token', 'create', '--device', 'SN-late', '--model', 'gateway', '--profile', 'ldevid']
    const { token } = await server.json<{ token: string }>(args)
    assert.equal((await enrol('SN-late', token)).status, 200)
  }
  const [first, second] = await Promise.all([
    server.json<{ issued: number; existing: number; rejected: number }>([...batch, '--output', 'first']),
    // The same file at two stations at once: each unit is still one.
    server.json<{ issued: number; existing: number; rejected: number }>([...batch, '--output', 'second']),
    enrolments(),
    revocations(),
    late(),
    server.sh('touchmark audit verify'),
  ])
  for (const { issued, existing, rejected } of [first, second]) {
    assert.deepEqual([issued + existing, rejected], [UNITS, 0])
  }
  assert.equal(first.issued + second.issued, UNITS)
  const table = (folder: string) =>
    readFileSync(server.folder.join(folder, 'results.csv'), 'utf8').replaceAll(',existing,', ',issued,')
  assert.equal(table('first'), table('second'), 'both stations have the same certificates')

  assert.equal((await server.counts()).devices, UNITS + DEVICES + 1)
  for (const serial of [...serials, 'SN-late']) {
    const { certificates } = await server.device(serial)
    const revoked = serials.indexOf(serial) >= 0 && serials.indexOf(serial) < 3
    assert.deepEqual(
      certificates.map(({ status }) => status.kind),
      [revoked ? 'revoked' : 'good'],
    )
  }
  const errors = server
    .stderr()
    .split('\n')
    .filter(line => line.includes('"level":"error"'))
  assert.deepEqual(errors, [])
  await server.sh('touchmark audit verify')
  assert.equal(await server.stop(), 0)
  await server.assertInvariants()
})
