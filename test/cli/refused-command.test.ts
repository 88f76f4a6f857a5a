// What a rule refuses an operator leaves an entry: command and code, and nothing of what was typed. What is mistyped leaves none.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { parseAuditEntry } from '../../src/domain/audit/entry.ts'
import { LiveServer } from '../support/live-server.ts'

describe('the log of refused commands', () => {
  let server: LiveServer
  let serial: string
  before(async () => {
    server = await LiveServer.prepare()
    writeFileSync(server.folder.join('units.csv'), 'serial\nSN-SECRET\n')
    writeFileSync(server.folder.join('empty.json'), '{}')
    writeFileSync(server.folder.join('wrong'), 'not the passphrase\n', { mode: 0o600 })
    const batch = ['batch', '--input', 'units.csv', '--profile', 'idevid', '--output', 'out', '--generate-keys']
    await server.json(batch)
    serial = (await server.device('SN-SECRET')).certificates[0]!.serialNumber
    await server.json(['revoke', '--certificate', serial, '--reason', 'superseded'])
  })
  after(() => server[Symbol.asyncDispose]())

  async function since(from: number) {
    await using store = await server.store()
    const entries = []
    for await (const { bytes } of store.read.auditEntries(from)) entries.push(parseAuditEntry(bytes))
    return entries
  }

  const token = ['token', 'create', '--device', 'SN-SECRET', '--model']
  const cases: readonly (readonly [string, string, () => readonly string[]])[] = [
    ['token create', 'profile.not_found', () => [...token, 'generic', '--profile', 'SN-SECRET']],
    ['token create', 'profile.not_for_devices', () => [...token, 'generic', '--profile', 'ocsp-signer']],
    ['token cancel', 'token.not_found', () => ['token', 'cancel', '5ec0e7']],
    ['revoke', 'certificate.not_found', () => ['revoke', '--certificate', '5ec0e700', '--reason', 'superseded']],
    [
      'revoke',
      'certificate.already_revoked',
      () => ['revoke', '--certificate', serial, '--reason', 'cessationOfOperation'],
    ],
    ['device approve', 'enrolment.not_found', () => ['device', 'approve', 'ab'.repeat(32)]],
    ['authority retire', 'authority.not_found', () => ['authority', 'retire', 'secret-1', '--yes']],
    ['trust remove', 'trust_anchors.not_found', () => ['trust', 'remove', 'secret']],
    ['batch', 'profile.not_found', () => ['batch', '--input', 'units.csv', '--profile', 'secret', '--output', 'out']],
  ]
  for (const [command, code, args] of cases) {
    test(`${command}: ${code}`, async () => {
      const { auditEntries } = await server.counts()
      const { code: exit, stdout, stderr } = await server.cli([...args(), '--json'])
      assert.equal(exit, 1, stderr)
      assert.equal(JSON.parse(stdout).error.code, code)
      const [entry, ...more] = await since(auditEntries)
      assert.deepEqual(more, [])
      const { at: _at, ...said } = entry!
      assert.deepEqual(said, {
        actor: { kind: 'operator', id: 'command-line' },
        action: 'operator.refused',
        outcome: 'refused',
        code,
        subject: {},
        detail: { command },
      })
    })
  }

  for (const [name, args] of [
    ['a mistyped option', ['token', 'create', '--devise', 'A']],
    ['an option that is missing', ['token', 'create', '--device', 'A']],
    ['a value that no option takes', [...token, 'generic', '--profile', 'ldevid', '--lifetime', 'soon']],
    ['two that exclude each other', ['token', 'cancel', 'ab', '--device', 'A']],
    ['a document that is none', ['rule', 'set', 'empty.json']],
    ['a file that is not there', ['batch', '--input', 'no', '--profile', 'idevid', '--output', 'out']],
    [
      'a wrong passphrase',
      ['batch', '--input', 'units.csv', '--profile', 'idevid', '--output', 'out', '--passphrase-file', 'wrong'],
    ],
    ['a question that finds nothing', ['device', 'show', 'SN-0']],
  ] as const) {
    test(`${name}: no entry`, async () => {
      const before = await server.counts()
      assert.notEqual((await server.cli([...args])).code, 0)
      assert.deepEqual(await server.counts(), before)
    })
  }

  test('and the log verifies', async () => {
    await server.json(['audit', 'verify'])
    await server.assertInvariants()
  })
})
