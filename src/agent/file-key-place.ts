// Keys in files: PKCS#8 in PEM, 0600, or in a sealed box under a passphrase (argon2id, AES-256-GCM).
import { parsePem, toPem } from '../core/asn1/pem.ts'
import { type Bytes, concat } from '../core/bytes/bytes.ts'
import { toHex } from '../core/bytes/hex.ts'
import { fromUtf8, toUtf8 } from '../core/bytes/utf8.ts'
import { TouchmarkError } from '../core/errors.ts'
import type { KeyAlgorithmName } from '../crypto/algorithms.ts'
import { sha256, sha256Hex } from '../crypto/digest.ts'
import { generateKeyPair, importPkcs8, type PrivateKey, provePair, wipe } from '../crypto/keys.ts'
import { SEAL_NONCE_OCTETS, SEAL_SALT_OCTETS, seal, unseal } from '../crypto/sealed-box.ts'
import { softwareSigner } from '../crypto/signer.ts'
import type { HeldKey, KeyPlace, KeyPlacePorts, KeyProtection } from './key-place.ts'

const OPEN = 'PRIVATE KEY'
const SEALED = 'TOUCHMARK SEALED FILE'
const PURPOSE = 'touchmark agent file'

export class FileKeyPlace implements KeyPlace {
  readonly place = 'file'
  readonly #ports: KeyPlacePorts

  constructor(ports: KeyPlacePorts) {
    this.#ports = ports
  }

  get protection(): KeyProtection {
    return this.#ports.masterKey ? 'passphrase' : 'none'
  }

  async make(name: string, algorithm: KeyAlgorithmName): Promise<{ key: HeldKey; sha256: string }> {
    return this.put(name, await generateKeyPair(algorithm))
  }

  /** Stores a key that was made elsewhere: the bootstrap key of the device. */
  async put(name: string, key: PrivateKey): Promise<{ key: HeldKey; sha256: string }> {
    provePair(key)
    const der = key.toPkcs8()
    const content = encodeSecret(name, OPEN, der, this.#ports)
    wipe(der)
    await this.#ports.storage.write(name, content)
    return { key: held(name, key), sha256: sha256Hex(content) }
  }

  async open(name: string, digest: string): Promise<HeldKey> {
    const content = await this.#ports.storage.read(name)
    if (content === undefined)
      throw new TouchmarkError('agent.key_missing', 'internal', 'The key file is gone.', { evidence: { name } })
    if (sha256Hex(content) !== digest) throw altered(name)
    const der = decodeSecret(name, OPEN, content, this.#ports)
    try {
      // It signs, and its public half verifies: importing proves the pair.
      return held(name, importPkcs8(der))
    } finally {
      wipe(der)
    }
  }

  destroy(name: string): Promise<void> {
    return this.#ports.storage.destroy(name)
  }
}

function held(name: string, key: PrivateKey): HeldKey {
  return {
    keyId: toHex(sha256(key.publicKey)),
    signer: softwareSigner(key, `file:${name}`),
    tlsKey: () => toPem(OPEN, key.toPkcs8()),
  }
}

/** A secret as it is stored: PEM under its label, or sealed. */
export function encodeSecret(
  name: string,
  label: string,
  secret: Uint8Array,
  { masterKey, random }: KeyPlacePorts,
): Bytes {
  if (!masterKey) return toUtf8(toPem(label, secret))
  const salt = random.bytes(SEAL_SALT_OCTETS)
  const nonce = random.bytes(SEAL_NONCE_OCTETS)
  const box = seal(masterKey, secret, { salt, nonce, purpose: PURPOSE, additionalData: toUtf8(`${label} ${name}`) })
  return toUtf8(toPem(SEALED, concat(salt, nonce, box)))
}

/** Throws `agent.key_altered`, `seal.broken`, and `passphrase.missing` where it is sealed and there is no passphrase. */
export function decodeSecret(name: string, label: string, content: Uint8Array, { masterKey }: KeyPlacePorts): Bytes {
  const [block] = parsePem(fromUtf8(content))
  if (block?.label === label) return block.der
  if (block?.label !== SEALED) throw altered(name)
  if (!masterKey) throw passphraseMissing()
  const salt = block.der.subarray(0, SEAL_SALT_OCTETS)
  const nonce = block.der.subarray(SEAL_SALT_OCTETS, SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
  const box = block.der.subarray(SEAL_SALT_OCTETS + SEAL_NONCE_OCTETS)
  return unseal(masterKey, box, { salt, nonce, purpose: PURPOSE, additionalData: toUtf8(`${label} ${name}`) })
}

export function passphraseMissing(): TouchmarkError {
  return new TouchmarkError('passphrase.missing', 'unauthenticated', "The agent's keys are sealed with a passphrase.", {
    next: 'Name its file with --passphrase-file, or in the environment variable TOUCHMARK_AGENT_PASSPHRASE_FILE.',
  })
}

function altered(name: string): TouchmarkError {
  return new TouchmarkError('agent.key_altered', 'internal', 'A key file is not what the agent wrote.', {
    next: 'Find out who else writes into the folder of the agent; the agent falls back to another key where it has one.',
    evidence: { name },
  })
}
