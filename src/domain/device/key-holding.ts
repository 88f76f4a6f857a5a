// How a device holds a key: in what, how well protected, and how sure we are of that. Said by the device, the station or an attestation;
// a key of which nothing was said has no record.
import type { KeyId, UnixSeconds } from '../ids.ts'

export type KeyPlace = 'file' | 'tpm' | 'secure_element' | 'hsm'
export type KeyProtection = 'none' | 'passphrase' | 'hardware'
/** `declared`: the holder says so. `attested`: evidence that was verified says so. */
export type AttestationLevel = 'none' | 'declared' | 'attested'

export interface KeyHolding {
  readonly keyId: KeyId
  readonly place: KeyPlace
  readonly protection: KeyProtection
  readonly attestation: AttestationLevel
  readonly at: UnixSeconds
}
