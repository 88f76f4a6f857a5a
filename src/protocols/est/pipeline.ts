// EST as a table: one row an operation, its steps from left to right. What one operation checks and another does not can be read here.
// (RFC 7030 §4.1 cacerts, §4.5 csrattrs, §4.2 simple enrolment, §4.4 server-side keys, §4.3 Full CMC)
import { asTouchmarkError } from '../../core/errors.ts'
import { refusalOf } from '../../domain/ra/refusal.ts'
import type { HttpReply, HttpRequest } from '../http.ts'
import { bodyTooLarge } from './body.ts'
import { errorReply } from './errors.ts'
import {
  type Arrived,
  type EstOperation,
  type EstPorts,
  type EstServices,
  type Halt,
  isHalt,
  type Step,
} from './exchange.ts'
import {
  authenticate,
  enrolDevice,
  enrolGeneratedKey,
  generateKey,
  linkToConnection,
  readLabel,
  readRequest,
  refuse,
  refuseFullCmc,
  sendCaCerts,
  sendCertificate,
  sendCsrAttributes,
  sendKeyAndCertificate,
} from './steps.ts'

type Pipeline = readonly Step<Arrived, Arrived>[]

// biome-ignore format: a table is read by its columns
const PIPELINES = {
  cacerts:        steps(readLabel, sendCaCerts),
  csrattrs:       steps(readLabel, sendCsrAttributes),
  simpleenroll:   steps(readLabel, authenticate, readRequest, linkToConnection, enrolDevice,       sendCertificate),
  simplereenroll: steps(readLabel, authenticate, readRequest, linkToConnection, enrolDevice,       sendCertificate),
  serverkeygen:   steps(readLabel, authenticate, readRequest, generateKey,      enrolGeneratedKey, sendKeyAndCertificate),
  fullcmc:        steps(readLabel, refuseFullCmc),
} as const satisfies Record<EstOperation, Pipeline>

/** Each step takes what the one before it returned; the last one answers. The types are checked here and forgotten after. */
function steps<A extends Arrived>(a: Step<Arrived, A>, z: Step<A, never>): Pipeline
function steps<A extends Arrived, B extends Arrived, C extends Arrived, D extends Arrived, E extends Arrived>(
  a: Step<Arrived, A>,
  b: Step<A, B>,
  c: Step<B, C>,
  d: Step<C, D>,
  e: Step<D, E>,
  z: Step<E, never>,
): Pipeline
function steps(...list: readonly unknown[]): Pipeline {
  return list as Pipeline
}

/** What enrols leaves a trace when it is refused; what anybody may read does not. */
const WITHOUT_TRACE: ReadonlySet<EstOperation> = new Set(['cacerts', 'csrattrs'])

/** Runs an operation. Rejects where this house is at fault; the server logs that and answers 500 or 503. */
export async function answerEst(operation: EstOperation, request: HttpRequest, ports: EstServices): Promise<HttpReply> {
  let exchange: Arrived = { operation, request, evidence: [] }
  for (const step of PIPELINES[operation]) {
    let result: Arrived | Halt
    try {
      result = await step(exchange, ports)
    } catch (thrown) {
      result = await refuseThrown(exchange, thrown, ports)
    }
    if (isHalt(result)) return result.halt
    exchange = result
  }
  throw new TypeError(`The pipeline of ${operation} ends without an answer`)
}

/** A body that nobody read: refused as everything else is. */
export async function refuseTooLarge(
  operation: EstOperation,
  request: HttpRequest,
  ports: EstPorts,
): Promise<HttpReply> {
  const { halt } = await refuseThrown({ operation, request, evidence: [] }, bodyTooLarge(), ports)
  return halt
}

async function refuseThrown(exchange: Arrived, thrown: unknown, ports: EstPorts): Promise<Halt> {
  const error = asTouchmarkError(thrown)
  if (error.kind === 'internal' || error.kind === 'unavailable') throw thrown
  if (WITHOUT_TRACE.has(exchange.operation)) return { halt: errorReply(error) }
  const offset = error.evidence['offset']
  return refuse(exchange, refusalOf(error), offset === undefined ? {} : { offset: String(offset) }, ports)
}
