// A collector for tests: takes OTLP over HTTP with JSON on 127.0.0.1, and judges what comes by the rules of the specification (opentelemetry-proto,
// trace.proto and "JSON Protobuf Encoding"), which know of nothing that the sender knows.
import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly flags: number
  readonly name: string
  readonly kind: number
  readonly start: bigint
  readonly end: bigint
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  readonly status: { readonly code: number; readonly message: string | undefined } | undefined
}

/** What it answers: a status, with a body and headers if need be; `hang` never answers. */
export type Answer = { status: number; body?: string; headers?: Record<string, string> } | 'hang'

export class OtlpReceiver implements AsyncDisposable {
  readonly #server = createServer((request, response) => void this.#take(request, response))
  readonly #faults: unknown[] = []
  /** Those of batches that were answered with success. */
  readonly spans: ReceivedSpan[] = []
  readonly resources: Record<string, unknown>[] = []
  readonly headers: IncomingHttpHeaders[] = []
  readonly batches: number[] = []
  answer: (batch: number) => Answer = () => ({ status: 200, body: '{}' })
  #waiting: (() => void)[] = []

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver()
    await new Promise<void>(resolve => receiver.#server.listen(0, '127.0.0.1', resolve))
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`
  }

  /** Waits until it holds; asked anew with every batch. */
  async until(holds: (receiver: this) => boolean): Promise<void> {
    while (!holds(this) && this.#faults.length === 0) await new Promise<void>(resolve => this.#waiting.push(resolve))
    this.assertValid()
  }

  named(name: string): ReceivedSpan[] {
    return this.spans.filter(span => span.name === name)
  }

  assertValid(): void {
    if (this.#faults.length > 0) throw this.#faults[0]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    try {
      assert.equal(request.method, 'POST')
      assert.equal(request.url, '/v1/traces')
      assert.equal(request.headers['content-type'], 'application/json')
      assert.equal(request.headers['traceparent'], undefined, 'what traces is not traced')
      const { spans, resource } = checkTraces(JSON.parse(text))
      const answer = this.answer(this.batches.push(spans.length))
      this.headers.push(request.headers)
      if (answer !== 'hang') {
        if (answer.status < 300) {
          this.spans.push(...spans)
          this.resources.push(resource)
        }
        response.writeHead(answer.status, answer.headers).end(answer.body)
      }
    } catch (thrown) {
      this.#faults.push(thrown)
      response.writeHead(400).end()
    }
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

type Json = Record<string, unknown>

function checkTraces(json: unknown): { spans: ReceivedSpan[]; resource: Record<string, unknown> } {
  const [resourceSpans, ...others] = list(only(json, ['resourceSpans'])['resourceSpans'])
  assert.equal(others.length, 0)
  const { resource, scopeSpans } = only(resourceSpans, ['resource', 'scopeSpans'])
  const spans = list(scopeSpans).flatMap(each => {
    const { scope, spans } = only(each, ['scope', 'spans'])
    assert.match(text(only(scope, ['name', 'version'])['name']), /./)
    return list(spans).map(checkSpan)
  })
  assert.ok(spans.length > 0, 'an empty batch is no batch')
  return { spans, resource: attributesOf(only(resource, ['attributes'])['attributes']) }
}

const SPAN_FIELDS = [
  'traceId',
  'spanId',
  'parentSpanId',
  'flags',
  'name',
  'kind',
  'startTimeUnixNano',
  'endTimeUnixNano',
  'attributes',
  'status',
]

function checkSpan(json: unknown): ReceivedSpan {
  const span = only(json, SPAN_FIELDS)
  // Hexadecimal, not the base64 of other protobuf bytes; all zeros is no id.
  assert.match(text(span['traceId']), /^(?!0+$)[0-9a-f]{32}$/)
  assert.match(text(span['spanId']), /^(?!0+$)[0-9a-f]{16}$/)
  const parentSpanId = span['parentSpanId'] as string | undefined
  if (parentSpanId !== undefined) assert.match(parentSpanId, /^(?!0+$)[0-9a-f]{16}$/)
  assert.ok([1, 2, 3, 4, 5].includes(span['kind'] as number), 'enumerations are numbers')
  for (const at of ['startTimeUnixNano', 'endTimeUnixNano']) assert.match(text(span[at]), /^[1-9][0-9]{18}$/)
  const start = BigInt(span['startTimeUnixNano'] as string)
  const end = BigInt(span['endTimeUnixNano'] as string)
  assert.ok(start <= end)
  assert.match(text(span['name']), /./)
  const status = span['status'] === undefined ? undefined : only(span['status'], ['code', 'message'])
  if (status) assert.ok([0, 1, 2].includes(status['code'] as number))
  return {
    traceId: span['traceId'] as string,
    spanId: span['spanId'] as string,
    parentSpanId,
    flags: span['flags'] as number,
    name: span['name'] as string,
    kind: span['kind'] as number,
    start,
    end,
    attributes: attributesOf(span['attributes']),
    status: status && { code: status['code'] as number, message: status['message'] as string | undefined },
  }
}

function attributesOf(json: unknown): Record<string, string | number | boolean> {
  const pairs = list(json).map(each => {
    const { key, value } = only(each, ['key', 'value'])
    const [[kind, said] = [], ...others] = Object.entries(value as Json)
    assert.equal(others.length, 0, 'one of the kinds of value')
    if (kind === 'intValue') assert.match(text(said), /^-?[0-9]+$/)
    else if (kind === 'doubleValue') assert.equal(typeof said, 'number')
    else if (kind === 'boolValue') assert.equal(typeof said, 'boolean')
    else assert.equal(kind, 'stringValue')
    return [text(key), kind === 'intValue' ? Number(said) : said] as const
  })
  const names = pairs.map(([name]) => name)
  assert.equal(new Set(names).size, names.length, 'keys are unique')
  return Object.fromEntries(pairs) as Record<string, string | number | boolean>
}

function only(json: unknown, fields: readonly string[]): Json {
  assert.ok(typeof json === 'object' && json !== null && !Array.isArray(json))
  for (const key of Object.keys(json)) assert.ok(fields.includes(key), `${key} is a field of its message`)
  return json as Json
}

function list(json: unknown): unknown[] {
  assert.ok(Array.isArray(json))
  return json
}

function text(json: unknown): string {
  assert.equal(typeof json, 'string')
  return json as string
}
