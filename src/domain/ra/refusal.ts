// Why registration says no: one table of codes, each with its kind, what happened and what to do next. Policy outcomes are values; the
// protocols translate the kind, and scripts may rely on the code. docs/conformance/rfc7030.md lists what EST makes of them.
import type { ErrorKind, TouchmarkError } from '../../core/errors.ts'

export interface Refusal {
  readonly code: string
  readonly kind: ErrorKind
  /** One sentence that may be shown to whoever asked. */
  readonly message: string
  readonly next: string | undefined
}

interface RefusalRow {
  readonly kind: ErrorKind
  readonly message: string
  readonly next: string
}

export const REFUSALS = {
  // What the requester shows for itself.
  'evidence.missing': {
    kind: 'unauthenticated',
    message: 'The request carries no evidence of who asks.',
    next: 'Present a device certificate in the TLS handshake, or a one-time token by HTTP Basic.',
  },
  'evidence.certificate_malformed': {
    kind: 'unauthenticated',
    message: 'The client certificate cannot be read.',
    next: 'Present an X.509 certificate in DER as RFC 5280 defines it.',
  },
  'evidence.issuer_unknown': {
    kind: 'unauthenticated',
    message: 'The client certificate leads to no trust anchor that this server accepts for devices.',
    next: 'Send the intermediate certificates too, or have the operator trust the manufacturer.',
  },
  'evidence.path_invalid': {
    kind: 'forbidden',
    message: 'The path from the client certificate to its trust anchor breaks a rule of RFC 5280 §6.',
    next: 'The operator finds the broken rule in the audit log.',
  },
  'evidence.certificate_unrecorded': {
    kind: 'forbidden',
    message: 'The client certificate is signed by an authority of this server, which has no record of it.',
    next: 'The operator should find out who used the key of that authority.',
  },
  'evidence.certificate_not_yet_valid': {
    kind: 'forbidden',
    message: 'The client certificate is not valid yet.',
    next: 'Check the clock of the device.',
  },
  'evidence.certificate_expired': {
    kind: 'forbidden',
    message: 'The client certificate has expired.',
    next: 'Enrol anew with the birth certificate or a one-time token.',
  },
  'evidence.certificate_revoked': {
    kind: 'forbidden',
    message: 'The client certificate is revoked.',
    next: 'Enrol with another certificate of the device, or ask the operator.',
  },
  'evidence.certificate_held': {
    kind: 'forbidden',
    message: 'The client certificate is on hold.',
    next: 'Ask the operator to release it.',
  },
  'evidence.certificate_not_of_device': {
    kind: 'forbidden',
    message: 'The client certificate belongs to the platform and not to a device.',
    next: 'Present a certificate that was issued to the device.',
  },
  'evidence.identity_missing': {
    kind: 'forbidden',
    message: 'The client certificate does not name model and serial number where its trust anchor list expects them.',
    next: 'The operator can change where the trust anchor list looks for them.',
  },
  'evidence.key_suspended': {
    kind: 'forbidden',
    message: 'The key of the client certificate is suspended.',
    next: 'Ask the operator.',
  },
  'evidence.key_unusable': {
    kind: 'forbidden',
    message: 'The key of the client certificate is archived, compromised or destroyed.',
    next: 'Enrol with another certificate of the device, or ask the operator.',
  },
  'evidence.key_known_elsewhere': {
    kind: 'forbidden',
    message: 'The key of the client certificate is known under another device.',
    next: 'The operator should find out which of the two devices is a copy.',
  },
  'evidence.conflicting': {
    kind: 'forbidden',
    message: 'The client certificate and the token name different devices.',
    next: 'Present evidence of one device only.',
  },
  'token.invalid': {
    kind: 'unauthenticated',
    message:
      'The user name and the token do not belong together, or the token is unknown, spent, withdrawn or expired.',
    next: 'The user name is the serial number of the device, the password a one-time token that the operator made for it.',
  },
  'token.expired': {
    kind: 'unauthenticated',
    message: 'The token has expired.',
    next: 'Ask the operator for a new token.',
  },
  'token.used': {
    kind: 'unauthenticated',
    message: 'The token was used before, for another request.',
    next: 'Ask the operator for a new token.',
  },
  'token.cancelled': {
    kind: 'unauthenticated',
    message: 'The token was withdrawn.',
    next: 'Ask the operator for a new token.',
  },
  'token.profile_mismatch': {
    kind: 'forbidden',
    message: 'The token is for another profile.',
    next: 'Ask at the path whose label is the profile of the token.',
  },

  // The device.
  'device.unknown': {
    kind: 'forbidden',
    message: 'The device is not registered.',
    next: 'Register the device, or let a rule register devices at first sight.',
  },
  'device.suspended': { kind: 'forbidden', message: 'The device is suspended.', next: 'Ask the operator.' },
  'device.retired': {
    kind: 'forbidden',
    message: 'The device is retired.',
    next: 'A retired device gets no certificate.',
  },

  'profile.not_for_devices': {
    kind: 'forbidden',
    message: 'The profile is for certificates of the platform itself, not of devices.',
    next: 'Ask for a profile whose holder is a device.',
  },

  // The key that is to be certified.
  'csr.signature_invalid': {
    kind: 'malformed',
    message: 'The signature of the request does not verify with its own public key (RFC 2986 §4.2).',
    next: 'Sign the request with the private key that belongs to the public key in it.',
  },
  'key.algorithm_not_allowed': {
    kind: 'forbidden',
    message: 'The profile does not allow this key algorithm.',
    next: 'Make a key as the CSR attributes of the profile describe it.',
  },
  'key.known_elsewhere': {
    kind: 'forbidden',
    message: 'The public key is known under another device.',
    next: 'Make a new key on the device, and find out how two devices came to share one.',
  },
  'key.suspended': {
    kind: 'forbidden',
    message: 'The public key is suspended.',
    next: 'Ask the operator, or use a new key.',
  },
  'key.archived': { kind: 'forbidden', message: 'The public key is archived.', next: 'Make a new key.' },
  'key.compromised': { kind: 'forbidden', message: 'The public key is compromised.', next: 'Make a new key.' },
  'key.destroyed': { kind: 'forbidden', message: 'The public key was destroyed.', next: 'Make a new key.' },
  'key.reuse_not_allowed': {
    kind: 'forbidden',
    message: 'The profile asks for a new key at renewal.',
    next: 'Make a new key and sign the request with it.',
  },

  'key.algorithm_ended': {
    kind: 'forbidden',
    message: 'The key algorithm is past its date under this profile.',
    next: 'Make a key as the CSR attributes of the profile describe it.',
  },
  'key.too_old': {
    kind: 'forbidden',
    message: 'The key was certified for as long as the profile allows.',
    next: 'Make a new key and sign the request with it.',
  },

  // Renewal (RFC 7030 §4.2.2).
  'renewal.certificate_required': {
    kind: 'unauthenticated',
    message: 'A renewal needs the certificate being renewed, presented in the TLS handshake.',
    next: 'Present the current certificate of the device, or enrol anew.',
  },
  'renewal.profile_changed': {
    kind: 'forbidden',
    message: 'The certificate being renewed was issued under another profile.',
    next: 'Renew at the path whose label is the profile of the certificate, or enrol anew.',
  },
  'renewal.profile_ordered': {
    kind: 'forbidden',
    message: 'The device was ordered to renew under another profile.',
    next: 'Ask for the renewal information, and renew at the path whose label is the profile that it names.',
  },
  'renewal.new_key_ordered': {
    kind: 'forbidden',
    message: 'The device was ordered to renew with a new key.',
    next: 'Make a new key and sign the request with it.',
  },
  'renewal.algorithm_ordered': {
    kind: 'forbidden',
    message: 'The device was ordered to renew with a key of another algorithm.',
    next: 'Ask for the renewal information, and make a key of the algorithm that it names.',
  },
  'renewal.left_behind': {
    kind: 'forbidden',
    message: 'The device goes by a later certificate over another key.',
    next: 'The operator should find out whether there are two copies of the device.',
  },
  'renewal.subject_changed': {
    kind: 'forbidden',
    message: 'The request does not name the subject of the certificate being renewed.',
    next: 'Repeat the subject of the current certificate, or leave the subject empty.',
  },
  'renewal.subject_alt_name_changed': {
    kind: 'forbidden',
    message: 'The request does not ask for the subject alternative name of the certificate being renewed.',
    next: 'Repeat the extension of the current certificate, or leave it out.',
  },
  'renewal.change_subject_name_unsupported': {
    kind: 'forbidden',
    message: 'The request asks to change the name of the device (ChangeSubjectName, RFC 6402 §2.8).',
    next: 'A device keeps its name: leave the attribute out.',
  },

  // Rules.
  'rule.none_matches': {
    kind: 'forbidden',
    message: 'No registration rule allows this request.',
    next: 'The operator can see why with: touchmark rule explain',
  },
  'rule.denies': { kind: 'forbidden', message: 'A registration rule denies this request.', next: 'Ask the operator.' },
  'quota.exceeded': {
    kind: 'too_many',
    message: 'The quota of the registration rule is used up.',
    next: 'Wait for the next window of the quota, or ask the operator.',
  },
  'channel_binding.required': {
    kind: 'forbidden',
    message: 'The registration rule wants the request linked to the TLS connection (RFC 7030 §3.5).',
    next: 'Put the channel binding of the connection into challengePassword.',
  },
  'enrolment.rejected': {
    kind: 'forbidden',
    message: 'The operator rejected this request.',
    next: 'Ask the operator. A request with a new key is a new request.',
  },
  'enrolment.too_many_pending': {
    kind: 'too_many',
    message: 'Too many requests of this device wait for an operator.',
    next: 'Repeat the request that waits instead of making new ones.',
  },
} as const satisfies Readonly<Record<string, RefusalRow>>

export type RefusalCode = keyof typeof REFUSALS

export function refusal(code: RefusalCode): Refusal {
  return { code, ...REFUSALS[code] }
}

/** An error that is the requester's own doing, as a refusal. */
export function refusalOf(error: TouchmarkError): Refusal {
  return { code: error.code, kind: error.kind, message: error.message, next: error.next }
}
