// Passkeys (WebAuthn level 3): registration and sign-in, user verification required. The options are made here; what the authenticator
// signed is checked behind a port (passkey-verifier.ts). A challenge carries its own proof that we made it and when, so that strangers who ask
// for one leave nothing behind; it is written down when it is spent.
import { fromBase64url, toBase64url } from '../../core/bytes/base64url.ts'
import { type Bytes, concat } from '../../core/bytes/bytes.ts'
import { fromHex, toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { TouchmarkError } from '../../core/errors.ts'
import { equalSecrets } from '../../crypto/constant-time.ts'
import { hmacSha256, sha256Hex } from '../../crypto/digest.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Write } from '../ports.ts'
import { passkeyDigest } from './commitments.ts'
import type { Operator } from './operator.ts'
import { activeOperator, assertSignsInHere } from './operator.ts'
import { credentialEntry } from './operators.ts'
import type { Passkey } from './passkey.ts'
import type { AuthenticationAnswer, ExpectedAnswer, RegistrationAnswer } from './passkey-verifier.ts'
import { type AccessPorts, CHALLENGE_KEY } from './ports.ts'
import { openSession, type SignedIn, type SignInFrom, signInFailed } from './sign-in.ts'

/** Where the page is that asks: `https://pki.example.test:8443`. Its host name is the RP ID. */
export interface RelyingParty {
  readonly origin: string
  readonly name: string
}

/** COSE algorithms (RFC 9053): ES256, EdDSA, RS256. */
const ALGORITHMS = [-7, -8, -257]
const CHALLENGE_SECONDS = 300
const NONCE_OCTETS = 24
const MAX_PASSKEYS = 20
const TRANSPORTS = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'])
/** One line, as people call their keys. */
const NAME = /^[^\s\p{C}](?:[^\p{C}]{0,62}[^\s\p{C}])?$/u

/** For `PublicKeyCredential.parseCreationOptionsFromJSON`. Throws `operator.not_found`, `access.signs_in_elsewhere`. */
export async function registrationOptions(operatorId: string, party: RelyingParty, ports: AccessPorts) {
  const operator = await activeOperator(operatorId, ports.store.read)
  assertSignsInHere(operator)
  const known = await ports.store.read.passkeysOfOperator(operatorId)
  return {
    rp: { id: rpIdOf(party), name: party.name },
    user: {
      id: toBase64url(toUtf8(operator.id)),
      name: operator.email ?? operator.name,
      displayName: operator.name,
    },
    challenge: newChallenge('create', operatorId, ports),
    pubKeyCredParams: ALGORITHMS.map(alg => ({ type: 'public-key' as const, alg })),
    timeout: CHALLENGE_SECONDS * 1000,
    excludeCredentials: known.map(descriptorOf),
    authenticatorSelection: { residentKey: 'required' as const, userVerification: 'required' as const },
    attestation: 'none' as const,
  }
}

/** Throws `operator.not_found`, `passkey.refused`, `passkey.exists`, `passkey.too_many`, `passkey.name_invalid`. */
export async function registerPasskey(
  { operatorId, name, answer }: { operatorId: string; name: string; answer: RegistrationAnswer },
  party: RelyingParty,
  ports: AccessPorts,
): Promise<Passkey> {
  const { store, clock, passkeys } = ports
  if (!NAME.test(name)) {
    throw new TouchmarkError(
      'passkey.name_invalid',
      'malformed',
      'A passkey has a name: one line of 1 to 64 characters.',
    )
  }
  assertSignsInHere(await activeOperator(operatorId, store.read))
  if ((await store.read.passkeysOfOperator(operatorId)).length >= MAX_PASSKEYS) {
    throw new TouchmarkError('passkey.too_many', 'conflict', `An operator has at most ${MAX_PASSKEYS} passkeys.`, {
      next: 'Remove one first.',
    })
  }
  const now = clock.now()
  const challenge = challengeOf(answer.response.clientDataJSON)
  const spend = spending(challenge, 'create', operatorId, ports, now)
  const verified =
    spend && (await passkeys.registration(answer, { ...expectedOf(party, challenge), algorithms: ALGORITHMS }))
  if (!spend || verified === undefined) {
    throw new TouchmarkError('passkey.refused', 'forbidden', 'What the authenticator answered does not hold.', {
      next: 'Begin again; the passkey must check who uses it, by PIN or finger.',
    })
  }
  const passkey: Passkey = {
    id: toHex(fromBase64url(verified.id)),
    operatorId,
    publicKey: verified.publicKey,
    signCount: verified.counter,
    name,
    transports: (answer.response.transports ?? []).filter(each => TRANSPORTS.has(each)),
    createdAt: now,
    lastUsedAt: null,
  }
  const actor = { kind: 'operator', id: operatorId } as const
  await store.commit({
    writes: [spend, { kind: 'passkey.insert', passkey }],
    audit: [credentialEntry({ operatorId, credential: 'passkey', sha256: passkeyDigest(passkey) }, actor, now)],
  })
  return passkey
}

/** Throws `passkey.not_found`. */
export async function removePasskey(
  { operatorId, id }: { operatorId: string; id: string },
  { store, clock }: Pick<AccessPorts, 'store' | 'clock'>,
): Promise<void> {
  const passkey = (await store.read.passkeysOfOperator(operatorId)).find(each => each.id === id)
  if (passkey === undefined) throw new TouchmarkError('passkey.not_found', 'not_found', 'There is no such passkey.')
  const actor = { kind: 'operator', id: operatorId } as const
  const removed = { operatorId, credential: 'passkey', sha256: passkeyDigest(passkey), change: 'removed' } as const
  await store.commit({
    writes: [{ kind: 'passkey.remove', id, operatorId }],
    audit: [credentialEntry(removed, actor, clock.now())],
  })
}

/**
 * For `PublicKeyCredential.parseRequestOptionsFromJSON`. It names no credentials: the authenticator knows which it has for us, and a stranger
 * learns nothing about who exists.
 */
export function authenticationOptions(party: RelyingParty, ports: Pick<AccessPorts, 'clock' | 'random' | 'secretFor'>) {
  return {
    challenge: newChallenge('get', '', ports),
    timeout: CHALLENGE_SECONDS * 1000,
    rpId: rpIdOf(party),
    allowCredentials: [],
    userVerification: 'required' as const,
  }
}

/** Throws `access.sign_in_failed`, `access.slow_down`. */
export async function signInWithPasskey(
  answer: AuthenticationAnswer,
  party: RelyingParty,
  from: SignInFrom,
  ports: AccessPorts,
): Promise<SignedIn> {
  const { store, clock, slowDown, passkeys } = ports
  const now = clock.now()
  const attempt = slowDown.attempt(null, from.address, now)
  const challenge = challengeOf(answer.response.clientDataJSON)
  const spend = spending(challenge, 'get', '', ports, now)
  const passkey = await store.read.passkey(hexOfBase64url(answer.id))
  const operator = passkey && (await store.read.operator(passkey.operatorId))
  if (!spend || passkey === undefined || operator?.state !== 'active') throw signInFailed()
  if (!isHandleOf(answer, operator)) throw signInFailed()
  const to = await passkeys.authentication(answer, expectedOf(party, challenge), passkey)
  if (to === undefined) throw signInFailed()
  const signedIn = await openSession(operator, 'passkey', from, ports, change => {
    change.write(spend, { kind: 'passkey.use', id: passkey.id, from: passkey.signCount, to, at: now })
  })
  attempt.succeeded()
  return signedIn
}

/** WebAuthn §7.2 step 6: where the authenticator says whose credential it is, it must be this operator's. */
function isHandleOf(answer: AuthenticationAnswer, operator: Operator): boolean {
  const { userHandle } = answer.response
  return userHandle === undefined || userHandle === toBase64url(toUtf8(operator.id))
}

/** What an answer must be about that holds for this page. */
const expectedOf = (party: RelyingParty, challenge: string): ExpectedAnswer => ({
  challenge,
  origin: party.origin,
  rpId: rpIdOf(party),
})

const rpIdOf = ({ origin }: RelyingParty): string => new URL(origin).hostname

const descriptorOf = ({ id, transports }: Passkey) => ({
  type: 'public-key' as const,
  id: toBase64url(fromHex(id)),
  transports: [...transports],
})

/** Nonce, time, and a MAC over both with what it is for: who makes one without the key store fails here. */
function newChallenge(
  use: 'create' | 'get',
  operatorId: string,
  { clock, random, secretFor }: Pick<AccessPorts, 'clock' | 'random' | 'secretFor'>,
): string {
  const head = concat(random.bytes(NONCE_OCTETS), toUtf8(String(clock.now()).padStart(12, '0')))
  return toBase64url(concat(head, macOf(head, use, operatorId, secretFor)))
}

/** The write that spends the challenge, or `undefined` where it is not ours, for something else, or too old. */
function spending(
  challenge: string,
  use: 'create' | 'get',
  operatorId: string,
  { secretFor }: Pick<AccessPorts, 'secretFor'>,
  now: UnixSeconds,
): Write | undefined {
  const octets = octetsOfBase64url(challenge)
  if (octets?.length !== NONCE_OCTETS + 12 + 32) return undefined
  const head = octets.slice(0, NONCE_OCTETS + 12)
  if (!equalSecrets(octets.slice(NONCE_OCTETS + 12), macOf(head, use, operatorId, secretFor))) return undefined
  const made = Number(new TextDecoder().decode(head.slice(NONCE_OCTETS)))
  if (!(made <= now && now <= made + CHALLENGE_SECONDS)) return undefined
  return { kind: 'proof.spend', digest: sha256Hex(octets), expiresAt: made + CHALLENGE_SECONDS }
}

function macOf(head: Uint8Array, use: string, operatorId: string, secretFor: AccessPorts['secretFor']): Bytes {
  return hmacSha256(secretFor(CHALLENGE_KEY), concat(toUtf8(`${use} ${operatorId}\n`), head))
}

/** What the browser says that it signed; empty where it cannot be read. */
function challengeOf(clientDataJSON: string): string {
  const octets = octetsOfBase64url(clientDataJSON)
  if (octets === undefined) return ''
  try {
    const data: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets))
    return typeof data === 'object' && data !== null && 'challenge' in data ? String(data.challenge) : ''
  } catch {
    return ''
  }
}

function octetsOfBase64url(text: string): Bytes | undefined {
  try {
    return fromBase64url(text)
  } catch {
    return undefined
  }
}

function hexOfBase64url(text: string): string {
  const octets = octetsOfBase64url(text)
  return octets === undefined ? '' : toHex(octets)
}
