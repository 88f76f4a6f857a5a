// RFC 9525 §6: which names a certificate has to have for the service that one meant to reach.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { GeneralName } from '../../src/core/pki/general-name.ts'
import { parseIpAddress } from '../../src/core/pki/ip-address.ts'
import { checkServiceIdentity } from '../../src/core/pki/service-identity.ts'

const dns = (value: string): GeneralName => ({ kind: 'dNSName', value })
const email = (value: string): GeneralName => ({ kind: 'rfc822Name', value })
const ip = (text: string): GeneralName => ({ kind: 'iPAddress', bytes: parseIpAddress(text)! })

/** `''` where the names are those that were wanted. */
function code(names: readonly GeneralName[], kind: 'dns' | 'ip' | 'email', value: string): string {
  return checkServiceIdentity(names, { kind, value })?.code ?? ''
}

describe('a DNS name', () => {
  const MATCHES: readonly [presented: string, wanted: string][] = [
    ['host.example', 'host.example'],
    ['HOST.Example', 'host.eXample'],
    ['host.example', 'host.example.'],
    ['xn--nxasmq6b.example', 'xn--nxasmq6b.example'],
    ['*.host.example', 'a.host.example'],
    ['*.host.example', 'xn--nxasmq6b.host.example'],
    ['localhost', 'localhost'],
    ['1.example', '1.example'],
  ]
  for (const [presented, wanted] of MATCHES) {
    it(`${presented} is ${wanted}`, () => assert.equal(code([dns(presented)], 'dns', wanted), ''))
  }

  const DIFFERS: readonly [presented: string, wanted: string][] = [
    ['host.example', 'other.example'],
    ['host.example', 'a.host.example'],
    ['a.host.example', 'host.example'],
    ['*.host.example', 'host.example'],
    ['*.host.example', 'a.b.host.example'],
    ['*', 'host'],
    ['*', 'host.example'],
    ['*.example', 'host.example'],
    ['f*.host.example', 'foo.host.example'],
    ['*f.host.example', 'foof.host.example'],
    ['a.*.example', 'a.host.example'],
    ['*.*.example', 'a.host.example'],
    ['xn--*-1b3c148a.host.example', 'xn--bliss-1b3c148a.host.example'],
    ['host.example.', 'host.example'],
    ['.host.example', 'a.host.example'],
    ['host_.example', 'host.example'],
    ['', 'host.example'],
  ]
  for (const [presented, wanted] of DIFFERS) {
    it(`${presented || '(empty)'} is not ${wanted}`, () =>
      assert.equal(code([dns(presented)], 'dns', wanted), 'identity.mismatch'))
  }

  it('is looked for among all names, and only among those of its kind', () => {
    assert.equal(code([dns('a.example'), email('b@c.example'), dns('b.example')], 'dns', 'b.example'), '')
    assert.equal(code([email('a@host.example'), ip('192.0.2.1')], 'dns', 'host.example'), 'identity.no_such_name')
    assert.equal(code([], 'dns', 'host.example'), 'identity.no_such_name')
  })

  it('that is none cannot be wanted', () => {
    const none = ['', '.', 'a..example', 'a_b.example', '*.host.example', 'höst.example', '192.0.2.1', '-a.example']
    for (const wanted of [...none, 'a-.example', `${'a'.repeat(64)}.example`, `${'a.'.repeat(130)}example`]) {
      assert.equal(code([dns(wanted)], 'dns', wanted), 'identity.reference_invalid', wanted)
    }
  })
})

describe('an IP address', () => {
  it('is compared octet for octet', () => {
    assert.equal(code([ip('192.0.2.1')], 'ip', '192.0.2.1'), '')
    assert.equal(code([ip('2001:db8::1')], 'ip', '2001:DB8:0:0::0:1'), '')
    assert.equal(code([ip('192.0.2.1')], 'ip', '192.0.2.2'), 'identity.mismatch')
    assert.equal(code([ip('::ffff:192.0.2.1')], 'ip', '192.0.2.1'), 'identity.mismatch')
  })

  it('is no DNS name, and a DNS name is none', () => {
    assert.equal(code([dns('192.0.2.1')], 'ip', '192.0.2.1'), 'identity.no_such_name')
    for (const wanted of ['192.0.2.01', '192.0.2', '0xc0000201', 'host.example', '192.0.2.0/24', '::1%eth0', '[::1]']) {
      assert.equal(code([ip('192.0.2.1')], 'ip', wanted), 'identity.reference_invalid', wanted)
    }
  })
})

describe('a mailbox', () => {
  it('has a local part as it is written and a domain without regard to case (RFC 5280 §7.5)', () => {
    assert.equal(code([email('Joe@Host.Example')], 'email', 'Joe@host.example'), '')
    assert.equal(code([email('joe@host.example')], 'email', 'Joe@host.example'), 'identity.mismatch')
    assert.equal(code([email('"j@e"@host.example')], 'email', '"j@e"@host.example'), '')
  })

  it('is one address and nothing else', () => {
    for (const wanted of [
      'joe',
      '@host.example',
      'joe@',
      'a@b@host.example',
      'Joe <joe@host.example>',
      'j oe@host.example',
    ]) {
      assert.equal(code([email(wanted)], 'email', wanted), 'identity.reference_invalid', wanted)
    }
    assert.equal(code([email('invalid@address@host.example')], 'email', 'address@host.example'), 'identity.mismatch')
    assert.equal(code([dns('host.example')], 'email', 'joe@host.example'), 'identity.no_such_name')
  })
})
