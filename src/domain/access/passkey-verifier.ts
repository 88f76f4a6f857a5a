// The port behind which the signatures of passkeys are checked: CBOR, COSE and attestation stay in an adapter (WebAuthn level 3, §7).
import type { Bytes } from '../../core/bytes/bytes.ts'
import type { Passkey } from './passkey.ts'

/** What `navigator.credentials.create()` gave, in the JSON form of WebAuthn level 3 (§5.1.8). */
export interface RegistrationAnswer {
  readonly id: string
  readonly rawId: string
  readonly type: string
  readonly response: {
    readonly clientDataJSON: string
    readonly attestationObject: string
    readonly transports?: readonly string[] | undefined
  }
}

/** What `navigator.credentials.get()` gave. */
export interface AuthenticationAnswer {
  readonly id: string
  readonly rawId: string
  readonly type: string
  readonly response: {
    readonly clientDataJSON: string
    readonly authenticatorData: string
    readonly signature: string
    readonly userHandle?: string | undefined
  }
}

/** What the answer must be about. */
export interface ExpectedAnswer {
  /** As the options had it, in base64url. */
  readonly challenge: string
  /** Scheme, host and port of the page that asked. */
  readonly origin: string
  readonly rpId: string
}

export interface RegisteredCredential {
  /** Credential ID in base64url. */
  readonly id: string
  /** COSE_Key (RFC 9052). */
  readonly publicKey: Bytes
  readonly counter: number
}

/** Both want the user verified, and give `undefined` for whatever does not hold: which it was is nothing that a forger needs to know. */
export interface PasskeyVerifier {
  /** §7.1; `algorithms`: COSE identifiers that the key may have. */
  registration(
    answer: RegistrationAnswer,
    expected: ExpectedAnswer & { readonly algorithms: readonly number[] },
  ): Promise<RegisteredCredential | undefined>
  /** §7.2: the new count of signatures. */
  authentication(
    answer: AuthenticationAnswer,
    expected: ExpectedAnswer,
    passkey: Pick<Passkey, 'publicKey' | 'signCount'>,
  ): Promise<number | undefined>
}
