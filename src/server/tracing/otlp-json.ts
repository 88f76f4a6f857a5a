// Spans as the JSON of OTLP (opentelemetry-proto, ExportTraceServiceRequest): ids in hexadecimal, numbers of 64 bits as decimal strings, enumerations as
// numbers, names in lowerCamelCase.
import type { Span, SpanAttributes } from './span.ts'

const KIND = { internal: 1, server: 2 } as const
const STATUS_ERROR = 2
/** Bits of `flags`: sampled (W3C), and whether it is known that the parent is elsewhere, and that it is. */
const SAMPLED = 0x1
const HAS_IS_REMOTE = 0x100
const IS_REMOTE = 0x200

/** The body of one POST. `resource` says who tells: `service.name` and the like. */
export function otlpJson(spans: readonly Span[], resource: SpanAttributes, scope: { name: string; version: string }) {
  const scopeSpans = [{ scope, spans: spans.map(otlpSpan) }]
  return { resourceSpans: [{ resource: { attributes: keyValues(resource) }, scopeSpans }] }
}

function otlpSpan({ traceId, spanId, parent, name, kind, begin, end, attributes, failure }: Span) {
  return {
    traceId,
    spanId,
    ...(parent === null ? {} : { parentSpanId: parent.spanId }),
    flags: SAMPLED | HAS_IS_REMOTE | (parent?.remote ? IS_REMOTE : 0),
    name,
    kind: KIND[kind],
    startTimeUnixNano: nanoseconds(begin),
    endTimeUnixNano: nanoseconds(Math.max(begin, end)),
    attributes: keyValues(attributes),
    ...(failure === null ? {} : { status: { code: STATUS_ERROR, message: failure } }),
  }
}

function keyValues(attributes: SpanAttributes) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValue(value) }))
}

function anyValue(value: string | number | boolean) {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
}

/** To the microsecond: a double of milliseconds holds no more, and no clock here measures more. */
function nanoseconds(milliseconds: number): string {
  return `${Math.round(milliseconds * 1000)}000`
}
