// NIST PKITS as vendored under test/vectors/pkits: certificates and CRLs by name, and the 249 validations.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TouchmarkError } from '../../src/core/errors.ts'
import { type Certificate, parseCertificate } from '../../src/core/pki/certificate.ts'
import { type CertificateList, parseCertificateList } from '../../src/core/pki/crl.ts'

export interface PkitsTest {
  readonly number: string
  readonly name: string
  /** From the trust anchor to the end entity. */
  readonly certificates: readonly string[]
  readonly crls: readonly string[]
  readonly valid: boolean
  readonly initial: readonly string[]
  readonly explicit?: boolean
  readonly inhibitMapping?: boolean
  readonly inhibitAny?: boolean
  /** The user-constrained-policy-set that NIST expects. */
  readonly policies: readonly string[]
}

/** 2011-04-15T00:00:00Z, when the suite is to be validated. */
export const PKITS_TIME = Date.UTC(2011, 3, 15) / 1000

const FOLDER = join(import.meta.dirname, '../vectors/pkits')

function octets(file: string): ReadonlyMap<string, Uint8Array> {
  const lines = readFileSync(join(FOLDER, file), 'utf8').trimEnd().split('\n')
  return new Map(
    lines.map(line => {
      const [name, base64] = line.split(' ')
      return [name!, new Uint8Array(Buffer.from(base64!, 'base64'))]
    }),
  )
}

const certificates = octets('certificates.txt')
const crls = octets('crls.txt')

/** Every certificate of the suite. */
export const PKITS_CERTIFICATES: readonly string[] = [...certificates.keys()]
export const PKITS_CRLS: readonly string[] = [...crls.keys()]

/** `undefined` where our reader refuses it: then no path has it. */
export function pkitsCertificate(name: string): Certificate | undefined {
  return readable(() => parseCertificate(certificates.get(name)!))
}

export function pkitsCrl(name: string): CertificateList | undefined {
  return readable(() => parseCertificateList(crls.get(name)!))
}

export function pkitsCertificateOctets(name: string): Uint8Array {
  return certificates.get(name)!
}

export function pkitsCrlOctets(name: string): Uint8Array {
  return crls.get(name)!
}

/** What `read` returns, or `undefined` where it refuses the input. */
export function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof TouchmarkError) return undefined
    throw error
  }
}

export function pkitsTests(): readonly PkitsTest[] {
  return JSON.parse(readFileSync(join(FOLDER, 'tests.json'), 'utf8')) as PkitsTest[]
}
