// The last thing that a device says: that it destroys its keys, signed with each of them. The octets are made once and kept, so that a repeat
// after a power cut is the same statement.
import { toBase64 } from '../core/bytes/base64.ts'
import { toUtf8 } from '../core/bytes/utf8.ts'
import type { AgentState, WipeStatement } from './agent-state.ts'
import type { HeldKey } from './key-place.ts'

/** `null` where no key is left that could sign. Rejects with what the signers reject with. */
export async function makeWipeStatement(
  device: AgentState['device'],
  keys: readonly HeldKey[],
  at: number,
): Promise<WipeStatement | null> {
  if (keys.length === 0) return null
  const octets = toUtf8(
    JSON.stringify({
      type: 'touchmark-wipe-v1',
      model: device.model,
      serialNumber: device.serialNumber,
      keys: keys.map(({ keyId }) => keyId),
      at: new Date(at * 1000).toISOString().replace('.000Z', 'Z'),
    }),
  )
  const signatures: { keyId: string; signature: string }[] = []
  for (const { keyId, signer } of keys) signatures.push({ keyId, signature: toBase64(await signer.sign(octets)) })
  return { octets: toBase64(octets), signatures }
}
