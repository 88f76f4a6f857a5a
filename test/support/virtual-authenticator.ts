// An authenticator as WebAuthn level 3 describes it, for tests: it makes key pairs and signs what a browser would have it sign. Its CBOR is
// written by hand, and it can be told to misbehave.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

export type AuthenticatorAlgorithm = 'ES256' | 'EdDSA' | 'RS256'

interface Held {
  readonly id: Buffer
  readonly algorithm: AuthenticatorAlgorithm
  readonly privateKey: KeyObject
  readonly rpId: string
  readonly userHandle: string
  count: number
}

export interface Misbehaviour {
  /** Flags of the authenticator data; 0x45 is user present, user verified, attested data. */
  readonly userVerified?: boolean
  readonly origin?: string
  readonly rpId?: string
  readonly type?: string
  readonly challenge?: string
  /** Octets of the signature are changed. */
  readonly forged?: boolean
  /** The counter goes this far. */
  readonly counter?: number
  readonly userHandle?: string
}

export class VirtualAuthenticator {
  readonly #algorithm: AuthenticatorAlgorithm
  #held: Held | undefined

  constructor(algorithm: AuthenticatorAlgorithm = 'ES256') {
    this.#algorithm = algorithm
  }

  // biome-ignore lint/suspicious/noExplicitAny: options are the JSON that came
  create(options: any, origin: string, wrong: Misbehaviour = {}) {
    const { publicKey, privateKey } = newKeyPair(this.#algorithm)
    const id = randomBytes(32)
    const rpId = wrong.rpId ?? options.rp.id
    this.#held = { id, algorithm: this.#algorithm, privateKey, rpId, userHandle: options.user.id, count: 0 }
    const credential = Buffer.concat([
      Buffer.alloc(16),
      Buffer.from([0, id.length]),
      id,
      coseKey(publicKey, this.#algorithm),
    ])
    const authData = Buffer.concat([authenticatorData(rpId, flags(wrong, 0x40), 0), credential])
    const attestationObject = map([
      [text('fmt'), text('none')],
      [text('attStmt'), map([])],
      [text('authData'), octets(authData)],
    ])
    const clientDataJSON = clientData('webauthn.create', options.challenge, origin, wrong)
    return {
      id: id.toString('base64url'),
      rawId: id.toString('base64url'),
      type: 'public-key',
      response: {
        clientDataJSON: clientDataJSON.toString('base64url'),
        attestationObject: attestationObject.toString('base64url'),
        transports: ['internal'],
      },
      clientExtensionResults: {},
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: options are the JSON that came
  get(options: any, origin: string, wrong: Misbehaviour = {}) {
    const held = this.#held
    if (held === undefined) throw new Error('The authenticator holds no key')
    held.count = wrong.counter ?? held.count + 1
    const authData = authenticatorData(wrong.rpId ?? held.rpId, flags(wrong, 0), held.count)
    const clientDataJSON = clientData('webauthn.get', options.challenge, origin, wrong)
    const signed = Buffer.concat([authData, createHash('sha256').update(clientDataJSON).digest()])
    const signature = sign(held.algorithm === 'EdDSA' ? null : 'sha256', signed, held.privateKey)
    if (wrong.forged) signature[signature.length - 1]! ^= 1
    return {
      id: held.id.toString('base64url'),
      rawId: held.id.toString('base64url'),
      type: 'public-key',
      response: {
        clientDataJSON: clientDataJSON.toString('base64url'),
        authenticatorData: authData.toString('base64url'),
        signature: signature.toString('base64url'),
        userHandle: wrong.userHandle ?? held.userHandle,
      },
      clientExtensionResults: {},
    }
  }
}

function newKeyPair(algorithm: AuthenticatorAlgorithm) {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    case 'EdDSA':
      return generateKeyPairSync('ed25519')
    case 'RS256':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
    default:
      return algorithm satisfies never
  }
}

const flags = ({ userVerified = true }: Misbehaviour, more: number) => 0x01 | (userVerified ? 0x04 : 0) | more

/** §6.1. */
function authenticatorData(rpId: string, flag: number, count: number): Buffer {
  const tail = Buffer.alloc(5)
  tail[0] = flag
  tail.writeUInt32BE(count, 1)
  return Buffer.concat([createHash('sha256').update(rpId).digest(), tail])
}

function clientData(type: string, challenge: string, origin: string, wrong: Misbehaviour): Buffer {
  return Buffer.from(
    JSON.stringify({
      type: wrong.type ?? type,
      challenge: wrong.challenge ?? challenge,
      origin: wrong.origin ?? origin,
      crossOrigin: false,
    }),
  )
}

/** RFC 9053: kty, alg and the numbers of the key. */
function coseKey(publicKey: KeyObject, algorithm: AuthenticatorAlgorithm): Buffer {
  const jwk = publicKey.export({ format: 'jwk' })
  const part = (name: 'e' | 'n' | 'x' | 'y') => octets(Buffer.from(jwk[name]!, 'base64url'))
  switch (algorithm) {
    case 'ES256':
      return map([
        [integer(1), integer(2)],
        [integer(3), integer(-7)],
        [integer(-1), integer(1)],
        [integer(-2), part('x')],
        [integer(-3), part('y')],
      ])
    case 'EdDSA':
      return map([
        [integer(1), integer(1)],
        [integer(3), integer(-8)],
        [integer(-1), integer(6)],
        [integer(-2), part('x')],
      ])
    case 'RS256':
      return map([
        [integer(1), integer(3)],
        [integer(3), integer(-257)],
        [integer(-1), part('n')],
        [integer(-2), part('e')],
      ])
    default:
      return algorithm satisfies never
  }
}

// CBOR (RFC 8949 §3), as much as stands above.

function head(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value])
  if (value < 256) return Buffer.from([(major << 5) | 24, value])
  return Buffer.from([(major << 5) | 25, value >> 8, value & 0xff])
}

const integer = (value: number) => (value < 0 ? head(1, -1 - value) : head(0, value))
const octets = (bytes: Uint8Array) => Buffer.concat([head(2, bytes.length), bytes])
const text = (words: string) => Buffer.concat([head(3, Buffer.byteLength(words)), Buffer.from(words)])
const map = (entries: readonly (readonly [Buffer, Buffer])[]) =>
  Buffer.concat([head(5, entries.length), ...entries.flat()])
