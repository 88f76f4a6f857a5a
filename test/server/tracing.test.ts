// Traces: what is said of whom, what reaches a collector, and that nobody waits for one.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, test } from 'node:test'
import type { KeyStore } from '../../src/crypto/key-store.ts'
import { systemRandom } from '../../src/crypto/random.ts'
import type { ChangeSet, Store } from '../../src/domain/ports.ts'
import type { ReadyReply, Route } from '../../src/protocols/http.ts'
import { checkConfiguration, newConfiguration } from '../../src/server/configuration.ts'
import { openListener } from '../../src/server/listener.ts'
import { jsonLogger } from '../../src/server/logger.ts'
import { Observation, observedKeyStore, observedStore } from '../../src/server/observation.ts'
import { type ExporterOptions, OtlpExporter } from '../../src/server/tracing/otlp-exporter.ts'
import type { Span } from '../../src/server/tracing/span.ts'
import { parseTraceparent } from '../../src/server/tracing/trace-context.ts'
import { Tracer, type TracerOptions } from '../../src/server/tracing/tracer.ts'
import { pairs, tracingSettings, usableHeaders } from '../../src/server/tracing/tracing-settings.ts'
import { OtlpReceiver } from '../support/otlp-receiver.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'

test('traceparent is read to the letter (W3C Trace Context §3.2, §4.3)', () => {
  const read = { traceId: TRACE, spanId: PARENT, sampled: true }
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${PARENT}-01`), read)
  assert.deepEqual(parseTraceparent(`00-${TRACE}-${PARENT}-02`), { ...read, sampled: false })
  assert.deepEqual(parseTraceparent(`cc-${TRACE}-${PARENT}-03-what-comes`), read)
  const wrong = [
    undefined,
    '',
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-01-more`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `ff-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    `cc-${TRACE}-${PARENT}-01-${'x'.repeat(300)}`,
  ]
  for (const header of wrong) assert.equal(parseTraceparent(header), undefined, String(header))
})

function tracer(options: Partial<TracerOptions> = {}) {
  const spans: Span[] = []
  const made = new Tracer({
    sampleRatio: 1,
    followParent: false,
    random: systemRandom,
    take: span => spans.push(span),
    dropped: () => assert.fail('nothing is dropped'),
    ...options,
  })
  const named = (name: string) => spans.filter(span => span.name === name)
  return { tracer: made, spans, named }
}

const reply = {
  listener: 'https',
  route: '/enrol/:label',
  method: 'POST',
  status: 200,
  requestId: 'r-1',
  code: null,
} as const

describe('the spans of a request', () => {
  const change: ChangeSet = { writes: [], audit: [] }
  const store = observed({ commit: async () => ({ firstAuditIndex: 0 }) as never })

  function observed(parts: Partial<Store>): { readonly store: Store; readonly observation: Observation } {
    const observation = new Observation()
    return { store: observedStore(parts as Store, observation), observation }
  }

  test('an enrolment holds what was signed and written while it lasted, and its decision lies before', async () => {
    const { tracer: made, spans, named } = tracer()
    using _ = store.observation.subscribe(made)
    const signer = await observedKeyStore(
      { signer: async () => ({ keyAlgorithm: 'ec-p256', sign: async () => new Uint8Array(1) }) } as unknown as KeyStore,
      store.observation,
    ).signer('key:1')
    const span = made.request(`00-${TRACE}-${PARENT}-00`, performance.now())!
    await span.within(async () => {
      await store.store.commit(change)
      const end = store.observation.begins({ protocol: 'est', operation: 'enrol', profile: 'ldevid' })
      await signer.sign(new Uint8Array(1))
      await store.store.commit(change)
      end('issued', null)
      await store.store.commit(change)
      assert.equal(spans.length, 0, 'what is around them is not over')
      span.end(reply)
      span.end({ ...reply, status: 500 })
    })
    const [root] = named('POST /enrol/:label')
    const [enrol] = named('enrol')
    const [decide] = named('decide')
    const [sign] = named('sign')
    const commits = named('commit')
    assert.equal(spans.length, 7)
    assert.deepEqual(root!.parent, { spanId: PARENT, remote: true })
    assert.equal(root!.kind, 'server')
    const inRoot = { spanId: root!.spanId, remote: false }
    const inEnrol = { spanId: enrol!.spanId, remote: false }
    assert.deepEqual([enrol!.parent, decide!.parent, sign!.parent], [inRoot, inEnrol, inEnrol])
    assert.deepEqual(
      commits.map(each => each.parent),
      [inRoot, inEnrol, inRoot],
    )
    assert.ok(spans.every(each => each.traceId === TRACE && each.begin <= each.end))
    assert.ok(decide!.begin === enrol!.begin && decide!.end === sign!.begin)
    assert.deepEqual(root!.attributes, {
      'url.scheme': 'https',
      'http.response.status_code': 200,
      'http.request.method': 'POST',
      'http.route': '/enrol/:label',
      'touchmark.request.id': 'r-1',
    })
    assert.equal(enrol!.attributes['touchmark.profile'], 'ldevid')
  })

  test('nothing that a stranger wrote is in them, and our faults have their code', async () => {
    const { tracer: made, spans, named } = tracer()
    using _ = store.observation.subscribe(made)
    const denied = made.request(undefined, performance.now())!
    denied.within(() => {
      store.observation.begins({ protocol: 'est', operation: 'enrol', profile: 'made-up' })('denied', 'profile.unknown')
      denied.end({ ...reply, route: null, method: '', status: 404 })
    })
    const failed = made.request('no traceparent', performance.now())!
    failed.end({ ...reply, status: 503, code: 'store.unavailable' })
    assert.doesNotMatch(JSON.stringify(spans), /made-up|no traceparent/)
    assert.deepEqual([named('HTTP')[0]!.failure, named('HTTP')[0]!.parent], [null, null])
    assert.equal(named('enrol')[0]!.attributes['error.type'], 'profile.unknown')
    assert.equal(named('POST /enrol/:label')[0]!.failure, 'store.unavailable')
  })

  test('many changes at once are one span, with the first refusal; outside of requests and jobs there are none', async () => {
    const { store: many, observation } = observed({
      commitEach: async () => [{} as never, new Error('refused'), {} as never],
    })
    const { tracer: made, spans } = tracer()
    using _ = observation.subscribe(made)
    await many.commitEach([change, change, change])
    assert.equal(spans.length, 0)
    await made.job('campaigns', async () => void (await many.commitEach([change, change, change])))
    assert.deepEqual(
      spans.map(({ name, failure, attributes }) => [name, failure !== null, attributes['touchmark.changes']]),
      [
        ['commit', true, 3],
        ['job campaigns', false, undefined],
      ],
    )
  })

  test('requests at once keep their spans apart', async () => {
    const { tracer: made, spans } = tracer()
    using _ = store.observation.subscribe(made)
    const one = async () => {
      const span = made.request(undefined, performance.now())!
      await span.within(async () => {
        await store.store.commit(change)
        await new Promise(resolve => setImmediate(resolve))
        await store.store.commit(change)
        span.end(reply)
      })
    }
    await Promise.all(Array.from({ length: 20 }, one))
    const traces = Map.groupBy(spans, each => each.traceId)
    assert.equal(traces.size, 20)
    for (const of of traces.values())
      assert.deepEqual(of.map(({ name }) => name).sort(), ['POST /enrol/:label', 'commit', 'commit'])
  })
})

describe('the spans of a job', () => {
  const publication = (name: string) => ({ kind: 'publication.put', publication: { name, number: 7 } }) as never

  test('a run in which nothing happened leaves none, one that fails leaves its code', async () => {
    const { tracer: made, spans } = tracer()
    await made.job('notices', async () => undefined)
    assert.equal(spans.length, 0)
    await assert.rejects(made.job('checkpoint', () => Promise.reject(new Error('x'))))
    assert.deepEqual(
      spans.map(({ name, kind, parent }) => [name, kind, parent]),
      [['job checkpoint', 'internal', null]],
    )
    assert.match(spans[0]!.failure!, /^internal/)
  })

  test('a CRL is built since the change before it, its number and pieces and all', async () => {
    const observation = new Observation()
    const store = observedStore({ commit: async () => ({ firstAuditIndex: 0 }) } as unknown as Store, observation)
    const { tracer: made, named } = tracer()
    using _ = observation.subscribe(made)
    const commit = (write: never) => store.commit({ writes: [write], audit: [] })
    await made.job('due CRLs', async () => {
      await commit(publication('bundle/1'))
      await commit(publication('crl/issuing/0/number'))
      await commit({ kind: 'publication.piece' } as never)
      await commit(publication('crl/issuing/0'))
      await commit(publication('crl/issuing/1/delta'))
      await commit(publication('status/issuing'))
    })
    const [root] = named('job due CRLs')
    const builds = named('CRL build')
    assert.deepEqual(
      builds.map(({ attributes, parent }) => [attributes['touchmark.publication'], parent?.spanId]),
      [
        ['crl/issuing/0', root!.spanId],
        ['crl/issuing/1/delta', root!.spanId],
      ],
    )
    const within = (of: Span) => named('commit').filter(({ parent }) => parent?.spanId === of.spanId).length
    assert.deepEqual([root!, ...builds].map(within), [2, 3, 1])
  })

  test('what goes on after the run brings the run with it', async () => {
    const observation = new Observation()
    const store = observedStore({ commit: async () => ({ firstAuditIndex: 0 }) } as unknown as Store, observation)
    const { tracer: made, spans } = tracer()
    using _ = observation.subscribe(made)
    const gate = Promise.withResolvers<void>()
    let later: Promise<unknown> | undefined
    await made.job('full CRLs', async () => {
      later = gate.promise.then(() => store.commit({ writes: [], audit: [] }))
    })
    assert.equal(spans.length, 0)
    gate.resolve()
    await later
    assert.deepEqual(
      spans.map(({ name }) => name),
      ['job full CRLs', 'commit'],
    )
    assert.equal(spans[1]!.parent?.spanId, spans[0]!.spanId)
  })

  test('one trace has an end, and what is beyond it is counted', async () => {
    const observation = new Observation()
    let dropped = 0
    const { tracer: made, spans } = tracer({
      dropped: count => {
        dropped += count
      },
    })
    using _ = observation.subscribe(made)
    await made.job('batch.run', async () => {
      for (let i = 0; i < 10_010; i++) observation.changed({ changes: [], seconds: 0, failure: null })
    })
    assert.deepEqual([spans.length, dropped], [10_001, 10])
  })
})

test('traces are drawn by lot; callers decide only where they may', () => {
  const drawn = (bytes: number[], options: Partial<TracerOptions>, header?: string) => {
    const random = { bytes: (count: number) => Uint8Array.from({ length: count }, (_, i) => bytes[i % bytes.length]!) }
    return tracer({ ...options, random }).tracer.request(header, 0) !== undefined
  }
  const caller = (flags: string) => `00-${TRACE}-${PARENT}-${flags}`
  assert.equal(drawn([0x19, 0, 0, 0], { sampleRatio: 0.1 }), true)
  assert.equal(drawn([0x1a, 0, 0, 0], { sampleRatio: 0.1 }), false)
  assert.equal(drawn([0xff], { sampleRatio: 0.1 }, caller('01')), false, 'a stranger cannot have everything traced')
  assert.equal(drawn([0], { sampleRatio: 0.1 }, caller('00')), true, 'nor hide')
  assert.equal(drawn([0xff], { sampleRatio: 0.1, followParent: true }, caller('01')), true)
  assert.equal(drawn([0], { sampleRatio: 1, followParent: true }, caller('00')), false)
  assert.equal(drawn([0], { sampleRatio: 0, followParent: true }), false)
})

const span = (fields: Partial<Span> = {}): Span => ({
  traceId: TRACE,
  spanId: PARENT,
  parent: null,
  name: 'sign',
  kind: 'internal',
  begin: 1_900_000_000_000.125,
  end: 1_900_000_000_001,
  attributes: {},
  failure: null,
  ...fields,
})

function exporter(url: string, options: Partial<ExporterOptions> = {}) {
  const lines: string[] = []
  const counts: Record<string, number> = {}
  const made = new OtlpExporter({
    url,
    headers: async () => ({ authorization: 'Bearer secret' }),
    resource: { 'service.name': 'touchmark' },
    scope: { name: 'touchmark', version: '1' },
    logger: jsonLogger(line => lines.push(line)),
    counted: (outcome, spans) => {
      counts[outcome] = (counts[outcome] ?? 0) + spans
    },
    ...options,
    limits: { everyMs: 1, firstPauseMs: 1, flushMs: 2000, ...options.limits },
  })
  return { exporter: made, counts, lines }
}

describe('the way to the collector', () => {
  test('spans arrive as OTLP says, to the microsecond', async () => {
    await using receiver = await OtlpReceiver.start()
    const { exporter: made, counts } = exporter(receiver.url)
    made.take(
      span({
        kind: 'server',
        parent: { spanId: 'b7ad6b7169203331', remote: true },
        attributes: { a: 1, b: 'ü', c: true, d: 0.5 },
      }),
    )
    made.take(span({ failure: 'signer.lost', end: 1 }))
    await receiver.until(({ spans }) => spans.length === 2)
    await made[Symbol.asyncDispose]()
    const [first, second] = receiver.spans
    assert.deepEqual(first, {
      traceId: TRACE,
      spanId: PARENT,
      parentSpanId: 'b7ad6b7169203331',
      flags: 0x301,
      name: 'sign',
      kind: 2,
      start: 1_900_000_000_000_125_000n,
      end: 1_900_000_000_001_000_000n,
      attributes: { a: 1, b: 'ü', c: true, d: 0.5 },
      status: undefined,
    })
    assert.deepEqual([second!.parentSpanId, second!.flags, second!.kind], [undefined, 0x101, 1])
    assert.deepEqual(second!.status, { code: 2, message: 'signer.lost' })
    assert.equal(second!.end, second!.start, 'nothing ends before it begins')
    assert.deepEqual(receiver.resources[0], { 'service.name': 'touchmark' })
    assert.equal(receiver.headers[0]!.authorization, 'Bearer secret')
    assert.deepEqual(counts, { delivered: 2 })
  })

  test('a full batch leaves at once, the rest with the next, in their order', async () => {
    await using receiver = await OtlpReceiver.start()
    const { exporter: made } = exporter(receiver.url, { limits: { batch: 3, everyMs: 3_600_000 } })
    for (const name of ['a', 'b', 'c', 'd']) made.take(span({ name }))
    await receiver.until(({ spans }) => spans.length === 3)
    await made[Symbol.asyncDispose]()
    assert.deepEqual(receiver.batches, [3, 1])
    assert.deepEqual(
      receiver.spans.map(({ name }) => name),
      ['a', 'b', 'c', 'd'],
    )
  })

  test('a collector that is busy is asked again, one that is away for good is told of once', async () => {
    await using receiver = await OtlpReceiver.start()
    receiver.answer = batch =>
      batch < 3 ? { status: 503, headers: { 'retry-after': '0' } } : { status: 200, body: '{}' }
    const busy = exporter(receiver.url)
    busy.exporter.take(span())
    await receiver.until(({ spans }) => spans.length === 1)
    await busy.exporter[Symbol.asyncDispose]()
    assert.deepEqual([busy.counts, busy.lines, receiver.batches], [{ delivered: 1 }, [], [1, 1, 1]])

    const away = exporter('http://127.0.0.1:1/v1/traces', { limits: { batch: 1, tries: 1 } })
    for (let i = 0; i < 3; i++) away.exporter.take(span())
    await away.exporter[Symbol.asyncDispose]()
    assert.deepEqual(away.counts, { not_delivered: 3 })
    assert.equal(away.lines.length, 1)
    assert.match(away.lines[0]!, /"tracing\.not_delivered"/)
    assert.doesNotMatch(away.lines[0]!, /secret/)
  })

  test('what it refuses is counted and not sent again', async () => {
    await using receiver = await OtlpReceiver.start()
    receiver.answer = batch =>
      batch === 1 ? { status: 400 } : { status: 200, body: '{"partialSuccess":{"rejectedSpans":"1"}}' }
    const { exporter: made, counts, lines } = exporter(receiver.url, { limits: { batch: 2 } })
    for (let i = 0; i < 4; i++) made.take(span())
    await receiver.until(({ batches }) => batches.length === 2)
    await made[Symbol.asyncDispose]()
    assert.deepEqual(counts, { refused: 3, delivered: 1 })
    assert.deepEqual(
      lines.map(line => JSON.parse(line).event),
      ['tracing.not_delivered', 'tracing.delivered_again'],
    )
  })

  test('the queue is bounded, and a collector that says nothing is left at the end', async () => {
    await using receiver = await OtlpReceiver.start()
    receiver.answer = () => 'hang'
    const { exporter: made, counts } = exporter(receiver.url, { limits: { queue: 10, batch: 5, flushMs: 20 } })
    for (let i = 0; i < 5; i++) made.take(span())
    await receiver.until(({ batches }) => batches.length === 1)
    for (let i = 0; i < 12; i++) made.take(span())
    assert.deepEqual(counts, { queue_full: 2 })
    await made[Symbol.asyncDispose]()
    made.take(span())
    assert.deepEqual(counts, { queue_full: 2, not_delivered: 16 })
  })

  test('a secret that cannot be read costs spans and nothing else', async () => {
    await using receiver = await OtlpReceiver.start()
    const headers = () => Promise.reject(new Error('no such file'))
    const { exporter: made, counts } = exporter(receiver.url, { headers, limits: { tries: 1 } })
    made.take(span())
    await made[Symbol.asyncDispose]()
    assert.deepEqual([counts, receiver.batches], [{ not_delivered: 1 }, []])
  })
})

test('requests do not wait for a collector that hangs; each is answered, ready replies too, and traced', async () => {
  await using receiver = await OtlpReceiver.start()
  receiver.answer = () => 'hang'
  const { exporter: made } = exporter(receiver.url, { limits: { batch: 1, flushMs: 20 } })
  const { tracer: traced, spans } = tracer({
    take: each => {
      spans.push(each)
      made.take(each)
    },
  })
  const ready: ReadyReply = { status: 200, headers: ['Content-Length', '5'], body: new TextEncoder().encode('ready') }
  const route = (pattern: string, fields: Partial<Route> = {}): Route => ({
    method: 'GET',
    pattern,
    door: 'public',
    listeners: ['http'],
    maxBody: 0,
    handle: async () => ({ status: 200, headers: {}, body: '' }),
    ...fields,
  })
  const broken = async () => {
    throw new Error('a fault')
  }
  const lines: string[] = []
  const listener = await openListener({
    host: '127.0.0.1',
    port: 0,
    routes: [route('/made/:id'), route('/ready', { ready: () => ready }), route('/broken', { handle: broken })],
    logger: jsonLogger(line => lines.push(line)),
    tracing: traced,
  })
  const headers = { traceparent: `00-${TRACE}-${PARENT}-01` }
  const ids: (string | null)[] = []
  for (const path of ['made/secret-7', 'ready', 'broken', 'nowhere/secret-7']) {
    const response = await fetch(`http://127.0.0.1:${listener.port}/${path}`, { headers })
    await response.text()
    ids.push(response.headers.get('x-request-id'))
  }
  await receiver.until(({ batches }) => batches.length === 1)
  await listener.close()
  await made[Symbol.asyncDispose]()
  assert.deepEqual(
    spans.map(({ name, attributes }) => [name, attributes['http.response.status_code']]),
    [
      ['GET /made/:id', 200],
      ['GET /ready', 200],
      ['GET /broken', 500],
      ['HTTP', 404],
    ],
  )
  assert.deepEqual(
    spans.map(({ attributes }) => attributes['touchmark.request.id'] ?? null),
    ids,
  )
  assert.ok(spans.every(each => each.traceId === TRACE && each.parent?.spanId === PARENT && each.parent.remote))
  assert.match(spans[2]!.failure!, /^internal/)
  assert.doesNotMatch(JSON.stringify(spans), /secret-7/)
})

describe('where traces go', () => {
  const endpoint = 'https://collector.example/v1/traces'
  const settings = (...args: [Parameters<typeof tracingSettings>[0], Parameters<typeof tracingSettings>[1]]) =>
    tracingSettings(...args, '1.2.3')

  test('nowhere, until the file or the environment names a collector', () => {
    for (const environment of [
      {},
      { OTEL_SERVICE_NAME: 'x' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_SDK_DISABLED: 'true' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_TRACES_EXPORTER: 'none' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_TRACES_SAMPLER: 'always_off' },
    ]) {
      assert.deepEqual(settings(null, environment), { settings: null, warnings: [] })
    }
    assert.equal(settings({ sampleRatio: 1 }, {}).settings, null)
    assert.equal(settings({ endpoint, sampleRatio: 0 }, {}).settings, null)
  })

  test('the variables of OpenTelemetry are understood, and the file stands above them', () => {
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318/base/',
      OTEL_EXPORTER_OTLP_HEADERS: 'Api-Key=a%20b, other=c=d,broken,bad name=x,=y',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=plant%202,service.name=overridden',
      OTEL_SERVICE_NAME: 'ca-2',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    }
    const { settings: read, warnings } = settings(null, environment)
    const { resource, ...others } = read!
    assert.deepEqual(warnings, [])
    assert.deepEqual(others, {
      endpoint: 'http://localhost:4318/base/v1/traces',
      headers: { 'api-key': 'a b', other: 'c=d' },
      headersSecret: null,
      sampleRatio: 0.25,
      followParent: true,
    })
    assert.match(resource['service.instance.id']!, /^[0-9a-f-]{36}$/)
    assert.deepEqual(
      [resource['service.name'], resource['service.version'], resource['deployment.environment.name']],
      ['ca-2', '1.2.3', 'plant 2'],
    )
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://other.example:4318/as-is' }
    assert.equal(settings(null, { ...environment, ...own }).settings?.endpoint, 'http://other.example:4318/as-is')
    const file = { endpoint, headersSecret: 'otlp', sampleRatio: 1, followParent: false, serviceName: 'ca-1' }
    const above = settings(file, { ...environment, ...own }).settings!
    assert.deepEqual(
      [above.endpoint, above.headersSecret, above.sampleRatio, above.followParent, above.resource['service.name']],
      [endpoint, 'otlp', 1, false, 'ca-1'],
    )
  })

  test('a variable that cannot be followed is a warning, and no reason not to start', () => {
    const at = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4317' }
    for (const [environment, isOn] of [
      [{ ...at, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, false],
      [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318' }, false],
      [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:password@localhost:4318' }, false],
      [{ ...at, OTEL_TRACES_SAMPLER: 'constructor' }, true],
      [{ ...at, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: 'all' }, true],
    ] as const) {
      const { settings: read, warnings } = settings(null, environment)
      assert.deepEqual([read !== null, warnings.length], [isOn, 1], JSON.stringify(environment))
      assert.doesNotMatch(warnings[0]!, /password/)
    }
  })

  test('headers that HTTP cannot carry are left out', () => {
    assert.deepEqual(pairs(undefined), {})
    assert.deepEqual(pairs('a=1,b=%,c=%0a'), { a: '1', c: '\n' })
    assert.deepEqual(usableHeaders({ A: '1', 'b c': '2', d: '\n', e: 'ü' }), { a: '1' })
  })

  test('the file is checked', () => {
    const log = { origin: 'example.com/log', verifierKeys: ['example.com/log+1+a'] }
    const good = newConfiguration({ log })
    assert.equal(good.tracing, null)
    const tracing = { endpoint, headersSecret: 'otlp', sampleRatio: 0.1, followParent: true, serviceName: 'CA Süd' }
    assert.deepEqual(checkConfiguration({ ...good, tracing }).tracing, tracing)
    assert.deepEqual(checkConfiguration({ ...good, tracing: {} }).tracing, {})
    for (const wrong of [
      'on',
      { endpoint: 'collector:4317' },
      { endpoint: 'https://user:pw@collector.example' },
      { headersSecret: '../passphrase' },
      { sampleRatio: 1.5 },
      { sampleRatio: '1' },
      { followParent: 1 },
      { serviceName: '' },
      { headers: { authorization: 'x' } },
    ]) {
      assert.throws(() => checkConfiguration({ ...good, tracing: wrong }), {
        code: 'configuration.invalid',
        message: /^ {2}tracing/m,
      })
    }
  })
})

test('where nothing is traced nothing of it is loaded', () => {
  const loaded = new Set<string>()
  const load = (file: string) => {
    if (loaded.has(file)) return
    loaded.add(file)
    const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export)(?! type\b)[^'"]*?from '(\.[^']+)'/gm)
    for (const [, target] of imports) load(normalize(join(dirname(file), target!)))
  }
  load('src/server/wiring.ts')
  assert.deepEqual([...loaded].filter(file => file.includes('tracing')).sort(), [
    'src/server/tracing/open-tracing.ts',
    'src/server/tracing/tracing-settings.ts',
  ])
})
