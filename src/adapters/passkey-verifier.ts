// The port PasskeyVerifier with SimpleWebAuthn, which is loaded when the first passkey is used. The library throws for whatever does not hold.
import type { PasskeyVerifier } from '../domain/access/passkey-verifier.ts'

export const passkeyVerifier: PasskeyVerifier = {
  async registration({ id, rawId, type, response }, { challenge, origin, rpId, algorithms }) {
    const { verifyRegistrationResponse } = await import('@simplewebauthn/server')
    const { clientDataJSON, attestationObject } = response
    try {
      const { verified, registrationInfo } = await verifyRegistrationResponse({
        response: {
          id,
          rawId,
          type: 'public-key',
          response: { clientDataJSON, attestationObject },
          clientExtensionResults: {},
        },
        expectedChallenge: challenge,
        expectedOrigin: origin,
        expectedRPID: rpId,
        requireUserVerification: true,
        supportedAlgorithmIDs: [...algorithms],
      })
      return verified && type === 'public-key' ? registrationInfo.credential : undefined
    } catch {
      return undefined
    }
  },

  async authentication({ id, rawId, type, response }, { challenge, origin, rpId }, passkey) {
    const { verifyAuthenticationResponse } = await import('@simplewebauthn/server')
    const { clientDataJSON, authenticatorData, signature } = response
    try {
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response: {
          id,
          rawId,
          type: 'public-key',
          response: { clientDataJSON, authenticatorData, signature },
          clientExtensionResults: {},
        },
        expectedChallenge: challenge,
        expectedOrigin: origin,
        expectedRPID: rpId,
        credential: { id, publicKey: new Uint8Array(passkey.publicKey), counter: passkey.signCount },
        requireUserVerification: true,
      })
      return verified && type === 'public-key' ? authenticationInfo.newCounter : undefined
    } catch {
      return undefined
    }
  },
}
