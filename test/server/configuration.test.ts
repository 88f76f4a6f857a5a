import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TouchmarkError } from '../../src/core/errors.ts'
import { checkConfiguration, newConfiguration, parseConfiguration } from '../../src/server/configuration.ts'

const log = { origin: 'acme.example/log', verifierKeys: ['acme.example/log+00000000+AAAA'] }
const good = newConfiguration({ log })

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
    listen: { host: 'not a host', httpsPort: 70000, httpPort: '8080' },
    publicUrl: 'http://localhost',
    store: 'mysql://x',
    colour: 'blue',
  }
  assert.throws(
    () => checkConfiguration(bad),
    (error: unknown) => {
      assert.ok(error instanceof TouchmarkError)
      assert.equal(error.code, 'configuration.invalid')
      for (const path of ['colour', 'listen.host', 'listen.httpsPort', 'listen.httpPort', 'publicUrl', 'store']) {
        assert.match(error.message, new RegExp(`^  ${path} `, 'm'))
      }
      assert.equal(error.evidence['problems'], 6)
      return true
    },
  )
})

test('metrics are off until somebody asks for them, and then on this machine only', () => {
  assert.equal(good.metrics, null)
  assert.deepEqual(checkConfiguration({ ...good, metrics: { port: 9464 } }).metrics, { host: '127.0.0.1', port: 9464 })
  for (const metrics of [{}, { port: 70000 }, { port: 1, host: 'not a host' }, { port: 1, path: '/m' }, 9464]) {
    assert.throws(() => checkConfiguration({ ...good, metrics }), {
      code: 'configuration.invalid',
      message: /^ {2}metrics/m,
    })
  }
})

test('missing parts are named', () => {
  assert.throws(() => parseConfiguration('{}'), /listen is missing[\s\S]*version is missing[\s\S]*store is missing/)
  assert.throws(() => parseConfiguration('[]'), /\(file\) must be an object/)
  assert.throws(() => parseConfiguration('{'), /is not JSON/)
})

test('the public address has no path, and its final slash is dropped', () => {
  assert.equal(newConfiguration({ log, publicUrl: 'https://est.acme.example/' }).publicUrl, 'https://est.acme.example')
  for (const publicUrl of ['https://acme.example/est', 'ftp://acme.example', 'acme.example']) {
    assert.throws(() => newConfiguration({ log, publicUrl }), { code: 'configuration.invalid' })
  }
})

test('CRLs go into folders and to commands, each said in full', () => {
  assert.deepEqual(good.crlOutlets, [])
  const outlets = [{ folder: '/srv/crl' }, { command: ['/usr/local/bin/push', '--bucket', 'crl'] }]
  assert.deepEqual(checkConfiguration({ ...good, crlOutlets: outlets }).crlOutlets, [
    { folder: '/srv/crl' },
    { command: ['/usr/local/bin/push', '--bucket', 'crl'], timeoutSeconds: 60 },
  ])
  const wrong = [
    '/srv/crl',
    {},
    { folder: 'relative' },
    { folder: '/a', command: ['b'] },
    { command: 'rm -rf /' },
    { command: [] },
    { command: ['a'], timeoutSeconds: 0 },
    { folder: '/a', shell: true },
  ]
  for (const outlet of wrong) {
    assert.throws(() => checkConfiguration({ ...good, crlOutlets: [outlet] }), {
      code: 'configuration.invalid',
      message: /^ {2}crlOutlets\.0/m,
    })
  }
})
