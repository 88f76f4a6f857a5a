// What one core signs and verifies with P-256: `openssl speed`, or the same loop through Node's OpenSSL where the tool is absent.
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, sign, verify } from 'node:crypto'

export interface SignatureLimit {
  readonly what: string
  readonly signsPerSecond: number
  readonly verifiesPerSecond: number
}

const SECONDS = 3

/** `elapsed`: by the clock on the wall instead of processor time, for what is measured so on a machine that has other things to do. */
export function measureSignatureLimit(options: { readonly elapsed?: boolean } = {}): SignatureLimit {
  const clock = options.elapsed === true ? ['-elapsed'] : []
  const args = ['speed', ...clock, '-seconds', String(SECONDS), 'ecdsap256']
  const result = spawnSync('openssl', args, { encoding: 'utf8' })
  // "256 bits ecdsa (nistp256)   0.0000s   0.0001s  50000.0  15000.0": the last two are operations a second.
  const line = /^.*ecdsa \(nistp256\).*$/m.exec(result.stdout ?? '')?.[0]
  const [signs, verifies] = (line?.trim().split(/\s+/) ?? []).slice(-2).map(Number)
  if (signs && verifies)
    return { what: 'openssl speed ecdsap256, one core', signsPerSecond: signs, verifiesPerSecond: verifies }
  return nodeLoop()
}

function nodeLoop(): SignatureLimit {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const message = new Uint8Array(32)
  const signature = sign('sha256', message, privateKey)
  return {
    what: "loop over Node's OpenSSL, one core",
    signsPerSecond: rate(() => sign('sha256', message, privateKey)),
    verifiesPerSecond: rate(() => verify('sha256', message, publicKey, signature)),
  }
}

function rate(operation: () => unknown): number {
  const end = performance.now() + SECONDS * 1000
  let count = 0
  while (performance.now() < end) {
    for (let i = 0; i < 100; i++) operation()
    count += 100
  }
  return count / SECONDS
}
