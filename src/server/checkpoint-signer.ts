// Signs the head of this instance's log with the log's key: every few seconds in a server, once at the end of a batch.
import { TouchmarkError } from '../core/errors.ts'
import { LOG_KEY_LABEL, logSigner, logVerifiers, signDueCheckpoint } from './log-key.ts'
import type { Instance } from './open-instance.ts'

/** Signs the head of the log with the log's own key. Throws `keystore.log_key_missing`. */
export async function checkpointSigner({
  store,
  clock,
  keyStore,
  configuration,
  lastSigned,
}: Instance): Promise<() => Promise<void>> {
  const { origin, verifierKeys } = configuration.log
  const key = (await keyStore.list()).find(candidate => candidate.label === LOG_KEY_LABEL)
  if (!key) {
    throw new TouchmarkError('keystore.log_key_missing', 'unavailable', 'The key store holds no key of the log.', {
      next: 'Restore the folder keys from a backup.',
    })
  }
  const signer = logSigner(origin, await keyStore.signer(key.keyUri))
  const verifiers = logVerifiers(verifierKeys)
  return async () => void (await signDueCheckpoint({ store, clock, origin, signer, verifiers, lastSigned }))
}
