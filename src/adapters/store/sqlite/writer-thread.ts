// The thread that the writer lives in: requests in, answers out, in order.
import { parentPort, workerData } from 'node:worker_threads'
import { TouchmarkError } from '../../../core/errors.ts'
import type { StoredCheckpoint, Work } from '../../../domain/ports.ts'
import type { GroupResult } from '../waiting.ts'
import type { PackedGroup } from './group.ts'
import { storeErrorOf } from './sqlite-error.ts'
import { type LeaseRequest, SqliteWriter } from './writer.ts'

export interface WriterThreadOptions {
  readonly path: string
  readonly maxOctets: number | undefined
}

export type WriterRequest =
  | { readonly kind: 'group'; readonly group: PackedGroup }
  | { readonly kind: 'lease'; readonly lease: LeaseRequest }
  | { readonly kind: 'checkpoint'; readonly checkpoint: StoredCheckpoint }
  | { readonly kind: 'close' }

/** Answers come in the order of the requests. */
export type WriterAnswer =
  | { readonly kind: 'group'; readonly result: GroupResult }
  | { readonly kind: 'lease'; readonly work: readonly Work[] }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: WireError }

/** A `TouchmarkError` across the thread boundary, which keeps neither classes nor fields of errors. */
export type WireError = Pick<TouchmarkError, 'code' | 'kind' | 'message' | 'next' | 'evidence'> & {
  readonly cause: string | undefined
}

if (parentPort !== null) serve(parentPort, workerData as WriterThreadOptions)

function serve(port: NonNullable<typeof parentPort>, { path, maxOctets }: WriterThreadOptions): void {
  let opened: SqliteWriter | undefined
  // Opened by the first request, so that its failure is that request's answer, and tried again by the next.
  const writer = () => {
    opened ??= new SqliteWriter(path, { maxOctets })
    return opened
  }
  const answerTo = (request: WriterRequest): WriterAnswer => {
    switch (request.kind) {
      case 'group':
        try {
          return { kind: 'group', result: writer().apply(request.group) }
        } finally {
          // Megabytes that came from another thread: given back at once, or they make this one's collector run for nothing else.
          request.group.octets.transfer(0)
        }
      case 'lease':
        return { kind: 'lease', work: writer().lease(request.lease) }
      case 'checkpoint':
        writer().saveCheckpoint(request.checkpoint)
        return { kind: 'done' }
      case 'close':
        port.close()
        opened?.close()
        return { kind: 'done' }
      default:
        return request satisfies never
    }
  }
  port.on('message', (request: WriterRequest) => {
    let answer: WriterAnswer
    try {
      answer = answerTo(request)
    } catch (error) {
      const { code, kind, message, next, evidence, cause } = storeErrorOf(error)
      const wire: WireError = {
        code,
        kind,
        message,
        next,
        evidence,
        cause: cause === undefined ? undefined : String(cause),
      }
      answer = { kind: 'failed', error: wire }
    }
    port.postMessage(answer)
  })
}

export function errorFromWire({ code, kind, message, next, evidence, cause }: WireError): TouchmarkError {
  return new TouchmarkError(code, kind, message, { ...(next === undefined ? {} : { next }), evidence, cause })
}
