// Passkeys: the browser's part of WebAuthn, from the options of the API to its answer as JSON.
import { call } from './client.ts'
import type { Operations, Passkey, Welcome } from './schema.ts'

export function isPasskeySupported(): boolean {
  return typeof PublicKeyCredential !== 'undefined' && 'parseRequestOptionsFromJSON' in PublicKeyCredential
}

function answerOf<T>(credential: Credential | null): T {
  if (!(credential instanceof PublicKeyCredential)) throw new DOMException('No passkey was chosen.', 'NotAllowedError')
  return credential.toJSON() as T
}

/** Throws what the browser throws where the person gives up, and `Problem`. */
export async function signInWithPasskey(): Promise<Welcome> {
  const options = await call('passkeySignInOptions')
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options as unknown as PublicKeyCredentialRequestOptionsJSON,
  )
  const credential = await navigator.credentials.get({ publicKey })
  return call('signInWithPasskey', {
    body: { answer: answerOf<Operations['signInWithPasskey']['body']['answer']>(credential) },
  })
}

export async function registerPasskey(name: string): Promise<Passkey> {
  const options = await call('passkeyRegistrationOptions')
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options as unknown as PublicKeyCredentialCreationOptionsJSON,
  )
  const credential = await navigator.credentials.create({ publicKey })
  return call('registerPasskey', {
    body: { name, answer: answerOf<Operations['registerPasskey']['body']['answer']>(credential) },
  })
}
