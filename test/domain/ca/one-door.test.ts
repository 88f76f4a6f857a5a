// There is one way from a decision to a certificate. The types hold it (see prepare.test.ts); this holds that nobody builds a second one.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'

/** Files of the server side whose code (comments left out) matches. The device side and the simulator have keys of their own. */
function users(pattern: RegExp): string[] {
  return globSync('src/**/*.ts')
    .map(file => file.replaceAll('\\', '/'))
    .filter(file => pattern.test(readFileSync(file, 'utf8').replace(/\/\/.*|\/\*[\s\S]*?\*\//g, '')))
    .sort()
}

describe('one door to a certificate', () => {
  it('only preparing encodes a TBSCertificate', () => {
    assert.deepEqual(users(/\bencodeTbsCertificate\(/), ['src/core/pki/certificate.ts', 'src/domain/ca/prepare.ts'])
  })

  it('only the lint gate stands between a TBSCertificate and a prepared one', () => {
    assert.deepEqual(users(/\blintGate\(/), ['src/domain/ca/lint-gate.ts', 'src/domain/ca/prepare.ts'])
    assert.equal(readFileSync('src/domain/ca/prepare.ts', 'utf8').match(/\bmint\(/g)?.length, 1)
  })

  it('only signing redeems what was prepared', () => {
    assert.deepEqual(users(/\bredeem(Many)?\(/), ['src/domain/ca/prepare.ts', 'src/domain/ca/sign.ts'])
  })

  it('only certificateWrites puts a certificate into the registry', () => {
    const writers = users(/kind: 'certificate\.insert'/).filter(file => !file.startsWith('src/adapters/'))
    assert.deepEqual(writers, ['src/domain/ca/issuer.ts', 'src/domain/ports.ts'])
  })
})
