// What factories hand over, in the forms that are understood; what is wrong with one unit is told with its line.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openUnitSource } from '../../../src/adapters/factory/read-units.ts'
import { toPem } from '../../../src/core/asn1/pem.ts'
import { generateKeyPair } from '../../../src/crypto/keys.ts'
import type { UnitInput } from '../../../src/domain/factory/unit.ts'
import { testCsrDer } from '../../support/instance.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'touchmark-units-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function read(path: string, model = 'generic'): Promise<UnitInput[]> {
  const units: UnitInput[] = []
  for await (const unit of (await openUnitSource(path, model)).units()) units.push(unit)
  return units
}

function file(t: TestContext, name: string, content: string | Uint8Array): string {
  const path = join(folder(t), name)
  writeFileSync(path, content)
  return path
}

const shape = (units: readonly UnitInput[]) =>
  units.map(unit => ('code' in unit ? unit.code : `${unit.model}/${unit.serialNumber}/${unit.key.kind}`))

test('CSV: columns by name in any order and spelling, keys as PEM, base64 or hex', async t => {
  const key = await generateKeyPair('P-256')
  const csr = testCsrDer(key)
  const base64 = Buffer.from(key.publicKey).toString('base64')
  const hex = Buffer.from(key.publicKey).toString('hex')
  const pem = toPem('CERTIFICATE REQUEST', csr)
  const path = file(
    t,
    'units.csv',
    `Serial Number;Public_Key;model;CSR\r\nA1;${base64};gw;\r\nA2;${hex};;\r\nA3;;gw;"${pem}"\r\nA4;;gw;${pem.replaceAll('\n', '\\n')}\r\nA5;;;\r\n`,
  )
  assert.deepEqual(shape(await read(path)), [
    'gw/A1/public_key',
    'generic/A2/public_key',
    'gw/A3/csr',
    'gw/A4/csr',
    'generic/A5/station',
  ])
  assert.equal((await openUnitSource(path, 'generic')).expected, 5 + pem.split('\n').length)
})

test('one serial number a line, without a header', async t => {
  assert.deepEqual(shape(await read(file(t, 'serials.txt', 'SN1\nSN2\n\nSN3'), 'm')), [
    'm/SN1/station',
    'm/SN2/station',
    'm/SN3/station',
  ])
})

test('several columns without a header are refused with advice', async t => {
  await assert.rejects(read(file(t, 'x.csv', 'A1,gw\nA2,gw\n')), { code: 'factory.header_missing' })
})

test('further columns and keys become labels of the device; what does not fit is a bad unit', async t => {
  const csv = await read(file(t, 'x.csv', 'serial,Hardware Rev,site,dnsNames\nA1,c2,Turku,a.example\nA2,,,\n'))
  assert.deepEqual(
    csv.map(unit => ('code' in unit ? unit.code : unit.labels)),
    [{ hardware_rev: 'c2', site: 'Turku', dnsNames: 'a.example' }, undefined],
  )
  const unnamed = await read(file(t, 'x.csv', 'serial;;site; \nA1;internal;Turku;x\n'))
  assert.deepEqual(
    unnamed.map(unit => ('code' in unit ? unit.code : unit.labels)),
    [{ site: 'Turku' }],
    'a column without a heading is left out',
  )
  const json = await read(
    file(t, 'x.ndjson', '{"serial":"A1","rev":3}\n{"serial":"A2","":"x"}\n{"serial":"A3","__proto__":"x"}\n'),
  )
  assert.deepEqual(
    json.map(unit => ('code' in unit ? unit.code : unit.labels)),
    [{ rev: '3' }, 'factory.attribute_invalid', 'factory.attribute_invalid'],
  )
})

test('NDJSON: a line that is no object is one bad unit', async t => {
  const units = await read(file(t, 'x.ndjson', '{"serial":"A1","model":"gw"}\nnonsense\n{"sn":"A2"}\n'))
  assert.deepEqual(shape(units), ['gw/A1/station', 'factory.json_invalid', 'generic/A2/station'])
  assert.equal(units[1]?.line, 2)
})

test('bad serial numbers, models and keys are bad units with their line', async t => {
  const long = 'x'.repeat(65)
  const rows = `serial,model,publickey\n,gw,\n${long},gw,\nA\u00e9,gw,\nA1,${long},\nA2,gw,%%%%\nA3,gw,\n`
  const units = await read(file(t, 'x.csv', rows))
  assert.deepEqual(shape(units), [
    'factory.serial_invalid',
    'factory.serial_invalid',
    'factory.serial_invalid',
    'factory.model_invalid',
    'bytes.base64_invalid',
    'gw/A3/station',
  ])
  assert.deepEqual(
    units.map(unit => unit.line),
    [2, 3, 4, 5, 6, 7],
  )
})

test('a PEM file, a folder and a tar of CSRs: the serial number is the subject, else the CN, else the file name', async t => {
  const keys = await Promise.all([1, 2, 3].map(() => generateKeyPair('P-256')))
  const csrs = [
    testCsrDer(keys[0]!, { subject: 'CN=ignored,serialNumber=S1' }),
    testCsrDer(keys[1]!, { subject: 'CN=S2' }),
    testCsrDer(keys[2]!),
  ]
  const pem = csrs.slice(0, 2).map(der => toPem('CERTIFICATE REQUEST', der))
  assert.deepEqual(shape(await read(file(t, 'all.pem', pem.join('\n')))), ['generic/S1/csr', 'generic/S2/csr'])

  const path = join(folder(t), 'csrs')
  mkdirSync(path)
  writeFileSync(join(path, 'a.csr'), pem[0]!)
  writeFileSync(join(path, 'b.pem'), pem[1]!)
  writeFileSync(join(path, 'S3.der'), csrs[2]!)
  writeFileSync(join(path, 'S4.pub'), toPem('PUBLIC KEY', keys[0]!.publicKey))
  writeFileSync(join(path, 'z.txt'), 'not base64 at all!')
  const expected = [
    'generic/S3/csr',
    'generic/S4/public_key',
    'generic/S1/csr',
    'generic/S2/csr',
    'bytes.base64_invalid',
  ]
  assert.deepEqual(shape(await read(path)), expected)

  for (const [name, flags] of [
    ['csrs.tar', '-cf'],
    ['csrs.tar.gz', '-czf'],
  ] as const) {
    const archive = join(folder(t), name)
    const made = spawnSync('tar', ['--format=ustar', '--sort=name', flags, archive, '-C', path, '.'])
    assert.equal(made.status, 0, String(made.stderr))
    assert.deepEqual(shape(await read(archive)).sort(), [...expected].sort())
  }
})

test('a damaged archive is an error, not an empty batch', async t => {
  const path = folder(t)
  writeFileSync(join(path, 'a.csr'), 'x')
  const archive = join(path, 'x.tar')
  spawnSync('tar', ['--format=ustar', '-cf', archive, '-C', path, 'a.csr'])
  const { readFileSync } = await import('node:fs')
  const bytes = readFileSync(archive)
  bytes[0]! ^= 1
  writeFileSync(archive, bytes)
  await assert.rejects(read(archive), { code: 'factory.archive_invalid' })
  writeFileSync(archive, readFileSync(archive).subarray(0, 600))
  await assert.rejects(read(archive), { code: 'factory.archive_invalid' })
})

test('what cannot be read at all says so', async t => {
  await assert.rejects(read(join(folder(t), 'nothing')), { code: 'factory.input_missing' })
  await assert.rejects(read(file(t, 'x.bin', new Uint8Array([0, 1, 2, 3, 0xff]))), { code: 'factory.input_unknown' })
})

test('the digest is that of the content', async t => {
  const [one, two] = [file(t, 'a.csv', 'serial\nA\n'), file(t, 'b.csv', 'serial\nA\n')]
  const digest = async (path: string) => (await openUnitSource(path, 'm')).digest
  assert.equal(await digest(one), await digest(two))
  writeFileSync(two, 'serial\nB\n')
  assert.notEqual(await digest(one), await digest(two))
})
