// An EST exchange on its way through the pipeline: each step takes one of these and returns the next, so that what a step may rely on
// stands in its type. A step that answers early returns a `Halt`.
import type { CertificationRequest } from '../../core/pki/csr.ts'
import type { PrivateKey } from '../../crypto/keys.ts'
import type { EnrolmentOutcome } from '../../domain/ra/enrolment-request.ts'
import type { Evidence } from '../../domain/ra/evidence.ts'
import type { Registration } from '../../domain/ra/registration.ts'
import type { HttpReply, HttpRequest } from '../http.ts'
import type { KeyPackageSigner } from './key-delivery.ts'
import type { KeyMaker } from './key-maker.ts'
import type { Label } from './label.ts'

export type EstOperation = 'cacerts' | 'csrattrs' | 'simpleenroll' | 'simplereenroll' | 'serverkeygen' | 'fullcmc'

/** What the steps work with: the ports, and what one set of routes keeps. */
export interface EstServices extends EstPorts {
  readonly makeKey: KeyMaker
}

export interface EstPorts {
  readonly registration: Registration
  /** The profile where neither label nor evidence names one. */
  readonly defaultProfile?: string
  /** Signs the packages in which keys travel that were made here (RFC 7030 §4.4.2): the server's own certificate and key. */
  readonly keyPackageSigner?: () => Promise<KeyPackageSigner>
}

export interface Arrived {
  readonly operation: EstOperation
  readonly request: HttpRequest
  /** Filled in by `authenticate`; empty until then, so that a refusal can always be written down. */
  readonly evidence: readonly Evidence[]
}

export interface Labelled extends Arrived {
  readonly label: Label
}

/** Whose request it is and which profile it is for. */
export interface Authenticated extends Labelled {
  readonly profile: string
}

export interface Requested extends Authenticated {
  readonly csr: CertificationRequest
}

export interface Linked extends Requested {
  /** Whether a channel binding came along; a wrong one does not get this far. */
  readonly channelBinding: boolean
}

export interface WithKey extends Linked {
  readonly key: PrivateKey
  /** The key as it will travel. */
  readonly keyPart: { readonly contentType: string; readonly der: Uint8Array }
}

export type Issued<Before extends Arrived> = Before & {
  readonly outcome: Extract<EnrolmentOutcome, { readonly kind: 'issued' }>
}

export interface Halt {
  readonly halt: HttpReply
}

export type Step<In extends Arrived, Out> = (exchange: In, ports: EstServices) => Out | Halt | Promise<Out | Halt>

export function isHalt(result: object): result is Halt {
  return 'halt' in result
}
