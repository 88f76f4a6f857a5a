// `touchmark verify --ndjson`: one answer for every line, in order, whatever the line; and NIST PKITS as its judge.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readLines } from '../../src/cli/read-lines.ts'
import { verifyLines } from '../../src/cli/verify-lines.ts'
import { toPem } from '../../src/core/asn1/pem.ts'
import type { CaseAnswer } from '../../src/domain/verdict/judge-case.ts'
import { touchmark } from '../support/cli.ts'
import { PKITS_TIME, pkitsCertificateOctets, pkitsCrlOctets, pkitsTests } from '../support/pkits.ts'

const certificate = (name: string) => toPem('CERTIFICATE', pkitsCertificateOctets(name))
const crl = (name: string) => toPem('X509 CRL', pkitsCrlOctets(name))
const AT = new Date(PKITS_TIME * 1000).toISOString()

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

/** A case that is good. */
const GOOD = {
  certificate: certificate('ValidCertificatePathTest1EE'),
  intermediates: [certificate('GoodCACert')],
  anchors: [certificate('TrustAnchorRootCertificate')],
  crls: [crl('TrustAnchorRootCRL'), crl('GoodCACRL')],
  at: AT,
}

async function verify(input: string): Promise<CaseAnswer[]> {
  const { code, stdout, stderr } = await touchmark(['verify', '--ndjson'], { input, cwd: '/' })
  assert.equal(code, 0, stderr)
  assert.ok(stdout === '' || stdout.endsWith('\n'))
  return stdout
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}

const lines = (...values: readonly unknown[]) => `${values.map(value => JSON.stringify(value)).join('\n')}\n`

describe('verify --ndjson', () => {
  it('gives the 249 answers of NIST PKITS', async () => {
    const tests = pkitsTests()
    const answers = await verify(
      lines(
        ...tests.map(test => ({
          id: test.number,
          certificate: certificate(test.certificates.at(-1)!),
          intermediates: test.certificates.slice(1, -1).map(certificate),
          anchors: [certificate(test.certificates[0]!)],
          crls: test.crls.map(crl),
          at: AT,
          initialPolicies: test.initial,
          explicitPolicy: test.explicit ?? false,
          inhibitMapping: test.inhibitMapping ?? false,
          inhibitAnyPolicy: test.inhibitAny ?? false,
        })),
      ),
    )
    assert.equal(tests.length, 249)
    assert.deepEqual(
      answers.map(({ id, valid }) => [id, valid]),
      tests.map(test => [test.number, test.valid]),
    )
    for (const { valid, code, reasons } of answers) {
      assert.equal(code === 'good', valid)
      assert.match(code, /^[a-z0-9_.]+$/)
      assert.ok(valid || reasons[0]?.startsWith(`${code}: `))
      assert.ok(!valid || reasons.every(reason => reason.startsWith('warning: ')))
    }
  })

  it('answers every line, in order, and goes on', async () => {
    const broken: [unknown, string][] = [
      [{ id: 'no certificate', anchors: [], intermediates: [] }, 'case.malformed'],
      [{ ...GOOD, id: 'wrong type', certificate: 7 }, 'case.malformed'],
      [{ ...GOOD, id: 'wrong list', anchors: GOOD.anchors[0] }, 'case.malformed'],
      [{ ...GOOD, id: 'number among them', intermediates: [1] }, 'case.malformed'],
      [{ ...GOOD, id: 'no PEM', certificate: 'hello' }, 'case.certificate_unreadable'],
      [
        { ...GOOD, id: 'no base64', anchors: ['-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----'] },
        'case.certificate_unreadable',
      ],
      [
        { ...GOOD, id: 'no DER', certificate: toPem('CERTIFICATE', new Uint8Array([48, 3, 1])) },
        'case.certificate_unreadable',
      ],
      [{ ...GOOD, id: 'no CRL', crls: [toPem('X509 CRL', new Uint8Array([48, 0]))] }, 'case.crl_unreadable'],
      [{ ...GOOD, id: 'a certificate for a CRL', crls: [GOOD.certificate] }, 'case.crl_unreadable'],
      [{ ...GOOD, id: 'no time', at: 'tomorrow' }, 'case.malformed'],
      [{ ...GOOD, id: 'no day', at: '2011-02-31T99:00:00Z' }, 'case.malformed'],
      [{ ...GOOD, id: 'a number for a time', at: 1 }, 'case.malformed'],
      [{ ...GOOD, id: 'no purpose', purpose: 'fun' }, 'case.malformed'],
      [{ ...GOOD, id: 'no name', name: 'host.example' }, 'case.malformed'],
      [{ ...GOOD, id: 'no kind of name', name: { kind: 'uri', value: 'x' } }, 'case.malformed'],
      [{ ...GOOD, id: 'no depth', maxDepth: -1 }, 'case.malformed'],
      [{ ...GOOD, id: 'no policy', initialPolicies: ['1.2.x'] }, 'case.malformed'],
      [{ ...GOOD, id: 'no flag', explicitPolicy: 'yes' }, 'case.malformed'],
      [{ ...GOOD, id: 'no anchors', anchors: [] }, 'path.no_issuer'],
      [{ ...GOOD, id: 'no list for it', crls: GOOD.crls.slice(0, 1) }, 'path.revocation_unknown'],
      [{ ...GOOD, id: 'another name', name: { kind: 'dns', value: 'host.example' } }, 'identity.no_such_name'],
      [{ ...GOOD, id: 'no intermediates allowed', maxDepth: 0 }, 'path.too_long'],
      [{ ...GOOD, id: 'long ago', at: '1990-01-01T00:00:00Z' }, 'path.issuer_not_yet_valid'],
    ]
    const input = [
      JSON.stringify({ ...GOOD, id: 'first' }),
      ...broken.map(([value]) => JSON.stringify(value)),
      '',
      '   ',
      'null',
      '[]',
      '"text"',
      '{"id":"cut off","certificate":"-----BEG',
      '\u0000\u0001',
      '['.repeat(200_000),
      `{"id":9,"deep":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`,
      `${JSON.stringify({ ...GOOD, id: 7, purpose: null, name: null, maxDepth: null })}\r`,
      JSON.stringify({ ...GOOD, id: { not: 'an id' } }),
      JSON.stringify({ ...GOOD, id: 'last', at: '2011-04-15T02:00:00.999+02:00' }),
    ].join('\n')
    const answers = await verify(input)
    assert.equal(answers.length, input.split('\n').length)
    assert.deepEqual(answers[0], { id: 'first', valid: true, code: 'good', reasons: [] })
    for (const [i, [value, code]] of broken.entries()) {
      const answer = answers[1 + i]!
      assert.deepEqual([answer.id, answer.valid, answer.code], [(value as { id: string }).id, false, code])
    }
    const rest = answers.slice(1 + broken.length)
    assert.deepEqual(
      rest.map(({ id }) => id),
      [null, null, null, null, null, 'cut off', null, null, 9, 7, null, 'last'],
    )
    assert.ok(rest.slice(0, 9).every(({ valid, code }) => !valid && code === 'case.malformed'))
    assert.ok(rest.slice(9).every(({ valid }) => valid))
  })

  it('says nothing where nothing is asked', async () => {
    assert.deepEqual(await verify(''), [])
  })

  it('answers each case before it waits for the next', async () => {
    const child = spawn(process.execPath, [MAIN, 'verify', '--ndjson'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const closed = once(child, 'close')
    child.stdout.setEncoding('utf8')
    for (const id of ['one', 'two']) {
      child.stdin.write(lines({ ...GOOD, id }))
      const [answer] = (await once(child.stdout, 'data')) as [string]
      assert.equal((JSON.parse(answer) as CaseAnswer).id, id)
    }
    child.stdin.end()
    assert.equal((await closed)[0], 0)
  })

  it('refuses a line of 100 MB in the memory of a small process', async () => {
    const child = spawn(process.execPath, [MAIN, 'verify', '--ndjson'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const closed = once(child, 'close')
    child.stdin.write('{"id":"huge","certificate":"')
    const chunk = Buffer.alloc(1024 * 1024, 0x61)
    for (let i = 0; i < 100; i++) if (!child.stdin.write(chunk)) await once(child.stdin, 'drain')
    child.stdin.write(`"}\n${lines({ ...GOOD, id: 'after' })}`)
    child.stdout.setEncoding('utf8')
    let output = ''
    while (output.split('\n').length < 3) output += ((await once(child.stdout, 'data')) as [string])[0]
    const answers = output
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as CaseAnswer)
    assert.deepEqual(
      answers.map(({ id, code }) => [id, code]),
      [
        ['huge', 'case.too_long'],
        ['after', 'good'],
      ],
    )
    if (process.platform === 'linux') {
      const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))!
      assert.ok(Number(peak) < 400 * 1024, `${peak} kB at most`)
    }
    child.stdin.end()
    assert.equal((await closed)[0], 0)
  })

  it('stops reading while nobody takes the answers', async () => {
    let read = 0
    async function* cases() {
      for (; read < 100; read++) yield Buffer.from('{}\n')
    }
    const { Writable } = await import('node:stream')
    const waiting: (() => void)[] = []
    const slow = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void waiting.push(done) })
    const done = verifyLines(cases(), slow)
    await new Promise(resolve => setImmediate(resolve))
    assert.ok(read <= 2, `${read} cases were read and nobody took an answer`)
    const release = async () => {
      while (read < 100 || waiting.length > 0) {
        waiting.shift()?.()
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    await Promise.all([done, release()])
    assert.equal(read, 100)
  })
})

describe('lines', () => {
  const collect = async (chunks: readonly string[], max = 1000) => {
    async function* input() {
      for (const chunk of chunks) yield Buffer.from(chunk, 'latin1')
    }
    const found: string[] = []
    for await (const line of readLines(input(), max))
      found.push(line.kind === 'whole' ? line.text : `…${line.start.length}`)
    return found
  }

  it('end in LF or CRLF, wherever the chunks end', async () => {
    assert.deepEqual(await collect(['a\nb', 'c\r', '\n\nd']), ['a', 'bc', '', 'd'])
    assert.deepEqual(await collect(['a\n']), ['a'])
    assert.deepEqual(await collect(['\xc3', '\xa9\n']), ['é'])
  })

  it('that are too long keep their beginning, and no more', async () => {
    assert.deepEqual(await collect(['x'.repeat(999), 'yy', 'z'.repeat(5000), '\nok\n']), ['…1001', 'ok'])
    assert.deepEqual(await collect(['x'.repeat(1000), '\n']), ['x'.repeat(1000)])
  })
})
