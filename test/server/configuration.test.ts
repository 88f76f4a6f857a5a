import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TouchmarkError } from '../../src/core/errors.ts'
import { checkConfiguration, newConfiguration, parseConfiguration } from '../../src/server/configuration.ts'

const good = newConfiguration({ organization: 'Acme Devices', logOrigin: 'acme.example/log' })

test('what init writes is read back as it was', () => {
  assert.deepEqual(parseConfiguration(JSON.stringify(good)), good)
  assert.equal(good.listen.httpsPort, 8443)
  assert.equal(good.listen.host, '127.0.0.1')
})

test('a configuration cannot be changed after it was read, at any depth', () => {
  assert.throws(() => Object.assign(good.listen, { httpsPort: 1 }), TypeError)
})

test('all problems are reported together, each with its path', () => {
  const bad = {
    ...good,
    organization: 'x'.repeat(65),
    listen: { host: 'not a host', httpsPort: 70000, httpPort: '8080' },
    publicUrl: { https: 'http://localhost', http: 'http://localhost/path' },
    store: 'mysql://x',
    colour: 'blue',
  }
  assert.throws(
    () => checkConfiguration(bad),
    (error: unknown) => {
      assert.ok(error instanceof TouchmarkError)
      assert.equal(error.code, 'configuration.invalid')
      const paths = ['colour', 'organization', 'listen.host', 'listen.httpsPort', 'listen.httpPort']
      for (const path of [...paths, 'publicUrl.https', 'publicUrl.http', 'store'])
        assert.match(error.message, new RegExp(`\\b${path} `))
      assert.equal(error.evidence['problems'], 8)
      return true
    },
  )
})

test('missing parts are named', () => {
  assert.throws(() => parseConfiguration('{}'), /listen is missing[\s\S]*version is missing[\s\S]*store is missing/)
  assert.throws(() => parseConfiguration('[]'), /\(file\) must be an object/)
  assert.throws(() => parseConfiguration('{'), /is not JSON/)
})

test('an organization name cannot break a line or hold control characters', () => {
  for (const organization of ['', ' Acme', 'Ac\nme', 'Ac\u0000me']) {
    assert.throws(() => newConfiguration({ organization, logOrigin: 'x' }), { code: 'configuration.invalid' })
  }
  assert.equal(newConfiguration({ organization: 'Müller & Söhne', logOrigin: 'x' }).organization, 'Müller & Söhne')
})
