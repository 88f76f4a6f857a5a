// An auditor's question: is this very certificate in the log? Takes the server's address, the log's verifier key, and a certificate in PEM;
// reads the signed checkpoint and the tiles (C2SP tlog-tiles), and needs nothing else of the server.
// Run: node examples/prove-certificate.ts http://localhost:8080 "$(curl -s http://localhost:8080/log/key)" device.pem

import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ed25519NoteVerifier, leafHash, openCheckpoint, parsePemBlock, parseVerifierKey, toHex } from 'touchmark/pki'

const [server, keyText, file] = process.argv.slice(2)
if (!server || !keyText || !file) throw new Error('usage: prove-certificate.ts SERVER VERIFIER_KEY CERTIFICATE.pem')

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())
const fingerprint = toHex(sha256(parsePemBlock(readFileSync(file, 'utf8'), 'CERTIFICATE')))

const key = parseVerifierKey(sha256, keyText.trim())
const log = ed25519NoteVerifier(key, (publicKey, message, signature) => {
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey])
  return verify(null, message, createPublicKey({ key: spki, format: 'der', type: 'spki' }), signature)
})
const { checkpoint } = openCheckpoint(await get('/log/checkpoint'), key.name, [log])

// Every entry, bundle by bundle; the leaves make the tree, the tree must have the root that was signed.
const leaves: Uint8Array[] = []
let found: number | undefined
for (let bundle = 0; bundle * 256 < checkpoint.size; bundle++) {
  const width = Math.min(256, checkpoint.size - bundle * 256)
  const bytes = await get(`/log/tile/entries/${tileIndex(bundle)}${width < 256 ? `.p/${width}` : ''}`)
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at]! * 256 + bytes[at + 1]!
    const entry = bytes.subarray(at + 2, at + 2 + length)
    if (new TextDecoder().decode(entry).includes(`"certificateSha256":"${fingerprint}"`)) found = leaves.length
    leaves.push(leafHash(sha256, entry))
    at += 2 + length
  }
}
if (toHex(root(leaves)) !== toHex(checkpoint.root)) throw new Error('The entries do not give the root that was signed.')
if (found === undefined) {
  console.log('The log does not know this certificate.')
  process.exit(1)
}
console.log(`Entry ${found} of ${checkpoint.size} records this certificate; the root is signed by ${key.name}.`)

async function get(path: string): Promise<Uint8Array> {
  const response = await fetch(new URL(path, server))
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}

/** `x001/x234/567`: three digits a step, all but the last with an x. */
function tileIndex(index: number): string {
  const steps = [String(index % 1000).padStart(3, '0')]
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    steps.unshift(`x${String(rest % 1000).padStart(3, '0')}`)
  }
  return steps.join('/')
}

/** RFC 9162 §2.1.1, as it stands there. */
function root(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 1) return hashes[0]!
  let split = 1
  while (split * 2 < hashes.length) split *= 2
  return sha256(Buffer.concat([Buffer.of(1), root(hashes.slice(0, split)), root(hashes.slice(split))]))
}
