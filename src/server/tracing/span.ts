// One piece of work with a begin and an end, as the tracer makes it and the exporter sends it.

export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export interface Span {
  /** 32 and 16 hexadecimal digits. */
  readonly traceId: string
  readonly spanId: string
  readonly parent: { readonly spanId: string; readonly remote: boolean } | null
  readonly name: string
  readonly kind: 'server' | 'internal'
  /** Unix milliseconds, with fractions. */
  readonly begin: number
  readonly end: number
  readonly attributes: SpanAttributes
  /** What failed, as a stable code; `null`: nothing did. */
  readonly failure: string | null
}
