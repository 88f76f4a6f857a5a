// docs/guides/enrol-over-est.md, line by line as it stands: one reader, one shell, every block in order. Only the addresses are those of this test.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { LiveServer } from '../support/live-server.ts'
import { requireTool } from '../support/tools.ts'

const GUIDE = readFileSync(new URL('../../docs/guides/enrol-over-est.md', import.meta.url), 'utf8')

test('every command of the guide works, and the certificates are what it says', async t => {
  for (const tool of ['openssl', 'curl', 'pki']) if (!requireTool(t, tool)) return
  await using server = await LiveServer.start()
  const blocks = [...GUIDE.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!)
  assert.ok(blocks.length >= 10)
  const script = blocks.join('\n').replaceAll('https://localhost:8443', server.url).replaceAll('./acme', server.data)
  assert.doesNotMatch(script, /localhost:8443|touchmark-data/)
  const printed = await server.sh(
    `${script}
    for each in device renewed new made second third; do openssl x509 -in $each.pem -noout -subject; done
    openssl x509 -in made.pem -noout -pubkey | cmp - <(openssl pkey -in made.key -pubout)
    openssl x509 -in new.pem -noout -pubkey | cmp - <(openssl pkey -in new.key -pubout)`,
    // The shell that a reader has, with the folder that the guide names and nothing set beforehand.
    { env: { TOUCHMARK_DATA: '/nonexistent', EST: '' } },
  )
  assert.match(printed, /prime256v1/, 'csrattrs')
  assert.match(printed, /"serialNumber": "SN-1"/, 'whoami')
  assert.match(printed, /device\.pem: OK/)
  const subjects = printed.match(/^subject=.*$/gm)
  assert.deepEqual(
    subjects,
    ['SN-1', 'SN-1', 'SN-1', 'SN-1', 'SN-2', 'SN-3'].map(name => `subject=O = Acme Devices, serialNumber = ${name}`),
  )
})
