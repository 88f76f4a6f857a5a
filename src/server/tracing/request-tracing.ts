// What a listener tells of its requests where they are traced. Only types: without a place to send traces to, nothing of tracing is loaded.

export interface RequestTracing {
  /** A request began then (`performance.now`), with this header `traceparent`. `undefined`: nobody wants to know of it. */
  request(traceparent: string | undefined, begun: number): RequestSpan | undefined
}

export interface RequestSpan {
  /** Runs what the request asks for; what happens within is part of it. */
  within<T>(work: () => T): T
  /** The head of the answer leaves, now. Only the first call counts. */
  end(reply: TracedReply): void
}

export interface TracedReply {
  readonly listener: 'https' | 'http'
  /** The route's pattern; `null`: there is none. */
  readonly route: string | null
  readonly method: string
  readonly status: number
  /** `null`: the reply was ready. */
  readonly requestId: string | null
  /** Of the error that was answered, where the handler threw one. */
  readonly code: string | null
}
