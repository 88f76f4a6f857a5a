// A refusal at the command line says what to do next, wherever there is something that one can do.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { LiveServer } from '../support/live-server.ts'

describe('what is refused names the next step', () => {
  let server: LiveServer
  let born: string
  const token = ['token', 'create', '--model', 'gw']
  const batch = ['batch', '--output', 'out']
  before(async () => {
    server = await LiveServer.prepare()
    writeFileSync(server.folder.join('empty.json'), '{}')
    writeFileSync(server.folder.join('broken.json'), '{')
    writeFileSync(server.folder.join('quote.csv'), 'serial,csr\nA,"never closed\n')
    await server.json(['token', 'create', '--device', 'SN-1', '--model', 'gw', '--profile', 'ldevid'])
    writeFileSync(server.folder.join('units.csv'), 'serial\nSN-2\n')
    await server.json([...batch, '--input', 'units.csv', '--profile', 'idevid', '--generate-keys'])
    born = (await server.device('SN-2')).certificates[0]!.serialNumber
  })
  after(() => server[Symbol.asyncDispose]())

  for (const [code, args, next] of [
    ['audit.entry_not_found', ['audit', 'entry', '999999'], /audit list/],
    ['certificate.not_found', ['revoke', '--certificate', '0a0a0a0a', '--reason', 'superseded'], /device show/],
    ['certificate.not_held', ['revoke', '--certificate', 'BORN', '--release'], /certificate show/],
    ['certificate.file_unreadable', ['certificate', 'show', './nowhere.pem'], /file/],
    ['device.not_found', ['device', 'show', 'SN-0'], /device list/],
    ['device.serial_number_invalid', [...token, '--device', 'ä', '--profile', 'ldevid'], /letters/],
    ['device.model_invalid', ['token', 'create', '--model', '', '--device', 'A', '--profile', 'ldevid'], /model/],
    ['profile.not_found', [...token, '--device', 'A', '--profile', 'nothing'], /ldevid/],
    ['profile.not_for_devices', [...token, '--device', 'A', '--profile', 'ocsp-signer'], /profile list/],
    ['token.lifetime_invalid', [...token, '--device', 'A', '--profile', 'ldevid', '--lifetime', '1s'], /--lifetime/],
    ['enrolment.not_found', ['device', 'approve', 'ab'.repeat(32)], /device pending/],
    ['authority.not_found', ['authority', 'show', 'nobody-1'], /authority list/],
    ['authority.not_awaiting', ['authority', 'csr', 'idevid-1'], /authority list/],
    ['document.not_json', ['rule', 'set', 'broken.json'], /nothing was changed/],
    ['rules.invalid', ['rule', 'set', 'empty.json'], /nothing was changed/],
    ['trust_anchors.invalid', ['trust', 'add', 'empty.json'], /nothing was changed/],
    ['factory.input_missing', [...batch, '--input', 'nothing', '--profile', 'idevid'], /file or a folder/],
    ['factory.quote_open', [...batch, '--input', 'quote.csv', '--profile', 'idevid'], /same command again/],
    ['data.exists', ['init', '--organization', 'Again'], /--data/],
  ] as const) {
    test(code, async () => {
      const {
        code: exit,
        stdout,
        stderr,
      } = await server.cli([...args.map(arg => (arg === 'BORN' ? born : arg)), '--json'])
      assert.notEqual(exit, 0)
      const { error } = JSON.parse(stdout)
      assert.equal(error.code, code, stderr)
      assert.match(error.next ?? '', next)
    })
  }
})
