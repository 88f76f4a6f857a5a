// What a factory's file holds, for tests that send one.
import { generateKeyPair } from '../../src/crypto/keys.ts'
import { testCsrDer } from './instance.ts'

/** A CSR over a new key, as base64 of DER: one cell of a CSV file. */
export async function testCsrCell(): Promise<string> {
  return Buffer.from(testCsrDer(await generateKeyPair('P-256'))).toString('base64')
}
