// The last thing that a device says: that it destroys its keys, signed with each of them. The message is made once and kept, so that a repeat
// after a power cut is the same.
import type { Bytes } from '../core/bytes/bytes.ts'
import { encodeSignedWipeStatement, encodeWipeStatement } from '../core/messages/wipe-statement.ts'
import type { AgentState } from './agent-state.ts'
import type { HeldKey } from './key-place.ts'

/** The signed message. `at` in whole seconds. Rejects with what the signers reject with. */
export async function signWipeStatement(
  { model, serialNumber }: AgentState['device'],
  keys: readonly HeldKey[],
  at: number,
): Promise<Bytes> {
  const statement = encodeWipeStatement({ model, serialNumber, keys: keys.map(({ keyId }) => keyId), at })
  const signatures: { keyId: string; signature: Bytes }[] = []
  for (const { keyId, signer } of keys) signatures.push({ keyId, signature: await signer.sign(statement) })
  return encodeSignedWipeStatement({ statement, signatures })
}
