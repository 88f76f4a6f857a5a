// A process that is told by the environment where its traces go: what a collector gets of a start, an enrolment, a job and a stop.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createToken } from '../../src/domain/ra/create-token.ts'
import { dataFolder } from '../../src/server/data-folder.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import { openInstance } from '../../src/server/open-instance.ts'
import { startServer } from '../../src/server/wiring.ts'
import { parseExposition } from '../support/exposition.ts'
import { https } from '../support/https.ts'
import { LiveServer } from '../support/live-server.ts'
import { OtlpReceiver } from '../support/otlp-receiver.ts'
import { requireTool } from '../support/tools.ts'

test('a caller sees its enrolment down to signature and commit, under its own trace; the rest comes at the stop', async t => {
  if (!requireTool(t, 'openssl') || !requireTool(t, 'curl')) return
  await using receiver = await OtlpReceiver.start()
  await using files = await LiveServer.prepare()
  const clock = { now: () => Math.floor(Date.now() / 1000) }
  await using instance = await openInstance(
    dataFolder(files.data),
    { file: files.passphraseFile, ask: undefined },
    clock,
  )
  const lines: Record<string, unknown>[] = []
  const traceId = 'a'.repeat(32)
  let requestId: unknown
  let counted: number | undefined
  {
    await using server = await startServer(instance, {
      logger: jsonLogger(line => lines.push(JSON.parse(line))),
      host: '127.0.0.1',
      httpsPort: 0,
      httpPort: 0,
      metricsPort: 0,
      environment: { OTEL_EXPORTER_OTLP_ENDPOINT: new URL('/', receiver.url).href, OTEL_SERVICE_NAME: 'ca' },
    })
    await files.sh(`openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -subj "/O=Acme Devices/serialNumber=T-1" \\
      -outform DER 2>/dev/null | openssl base64 > csr.b64`)
    const { secret } = await createToken(
      { model: 'gateway', serialNumber: 'T-1', profile: 'ldevid', actor: { kind: 'operator', id: 'test' } },
      { ...instance, clock },
    )
    const answer = await https(`${server.url}/.well-known/est/simpleenroll`, {
      method: 'POST',
      ca: readFileSync(files.roots, 'utf8'),
      headers: {
        'content-type': 'application/pkcs10',
        authorization: `Basic ${Buffer.from(`T-1:${secret}`).toString('base64')}`,
        traceparent: `00-${traceId}-${'b'.repeat(16)}-01`,
      },
      body: readFileSync(files.folder.join('csr.b64')),
    })
    assert.equal(answer.status, 200, answer.text)
    requestId = answer.headers['x-request-id']
    // A nonce asks for an answer of its own (RFC 8954).
    await files.sh(`curl -sS ${new URL('/ca/ldevid-1.cer', server.httpUrl)} | openssl x509 -inform DER -out issuer.pem
      openssl ocsp -issuer issuer.pem -serial 1 -nonce -url ${new URL('/ocsp', server.httpUrl)} -noverify`)
    const families = parseExposition(await (await fetch(server.metricsUrl!)).text())
    counted = families.get('touchmark_trace_spans_total')?.samples.length
  }
  receiver.assertValid()
  assert.ok(counted !== undefined)
  const spans = receiver.spans.filter(span => span.traceId === traceId)
  const [root] = spans.filter(({ kind }) => kind === 2)
  assert.equal(root?.name, 'POST /.well-known/est/simpleenroll')
  assert.equal(root.parentSpanId, 'b'.repeat(16))
  assert.equal(root.attributes['touchmark.request.id'], requestId)
  const under = (parent: { spanId: string }) => spans.filter(each => each.parentSpanId === parent.spanId)
  const [enrol] = under(root).filter(({ name }) => name === 'enrol')
  assert.ok(enrol)
  assert.deepEqual(
    under(enrol)
      .toSorted((a, b) => Number(a.start - b.start))
      .map(({ name }) => name),
    ['decide', 'sign', 'commit'],
  )
  for (const span of spans) {
    const parent = spans.find(({ spanId }) => spanId === span.parentSpanId)
    assert.ok(parent === undefined || parent.start <= span.start, `${span.name} in ${parent?.name}`)
  }
  const [ocsp] = receiver.named('POST /ocsp')
  assert.deepEqual(
    receiver.spans.filter(each => each.parentSpanId === ocsp?.spanId).map(({ name }) => name),
    ['sign'],
  )
  // Of the start; that nothing is known of the device that could name it is the rule for log lines too.
  const issuing = (await instance.authorities.all()).filter(({ kind }) => kind === 'issuing')
  assert.deepEqual(
    receiver.named('CRL build').map(({ attributes }) => attributes['touchmark.publication']),
    issuing.map(({ id }) => `crl/${id}/0`),
  )
  assert.ok(receiver.named('job ocsp signers').length > 0)
  assert.doesNotMatch(
    JSON.stringify(receiver.spans, (_, value) => (typeof value === 'bigint' ? '' : value)),
    /T-1|gateway|127\.0\.0\.1/,
  )
  assert.deepEqual(
    [receiver.resources[0]?.['service.name'], lines.find(({ event }) => event === 'tracing.on')?.['collector']],
    ['ca', new URL(receiver.url).origin],
  )
})
