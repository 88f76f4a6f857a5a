// An OpenID provider over the network, with openid-client (a certified relying party). It is loaded when somebody signs in this way; what the
// provider says of itself is kept for an hour.
import { TouchmarkError } from '../../core/errors.ts'
import type { OidcSettings } from '../../domain/access/access-settings.ts'
import type { OidcAttempt, OidcIdentity, OpenIdProvider } from '../../domain/access/oidc.ts'

type Configuration = import('openid-client').Configuration

const TIMEOUT_SECONDS = 10
const KEPT_MS = 3_600_000
/** Groups that are looked at, and octets of one name. */
const MAX_GROUPS = 1000
const MAX_GROUP = 256

export interface OpenIdClientOptions {
  /** Absent: a public client, which PKCE alone protects. */
  readonly clientSecret?: string
}

export class NetworkOpenIdProvider implements OpenIdProvider {
  readonly #options: OpenIdClientOptions
  #known: { readonly key: string; readonly until: number; readonly configuration: Configuration } | undefined

  constructor(options: OpenIdClientOptions = {}) {
    this.#options = options
  }

  async authorizationUrl(settings: OidcSettings, attempt: OidcAttempt): Promise<string> {
    const client = await import('openid-client')
    const configuration = await this.#configuration(settings)
    const { href } = client.buildAuthorizationUrl(configuration, {
      redirect_uri: attempt.redirectUri,
      scope: settings.scope,
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(attempt.codeVerifier),
      code_challenge_method: 'S256',
    })
    return href
  }

  async identity(settings: OidcSettings, attempt: OidcAttempt, currentUrl: string): Promise<OidcIdentity> {
    const client = await import('openid-client')
    const configuration = await this.#configuration(settings)
    try {
      const tokens = await client.authorizationCodeGrant(configuration, new URL(currentUrl), {
        pkceCodeVerifier: attempt.codeVerifier,
        expectedState: attempt.state,
        expectedNonce: attempt.nonce,
        idTokenExpected: true,
      })
      const claims = tokens.claims()!
      return {
        issuer: claims.iss,
        subject: claims.sub,
        name: textOf(claims['name']) ?? textOf(claims['preferred_username']),
        email: claims['email_verified'] === true ? textOf(claims['email']) : undefined,
        groups: groupsOf(claims[settings.groupsClaim]),
      }
    } catch (cause) {
      throw new TouchmarkError(
        'oidc.refused',
        'unauthenticated',
        'The OpenID provider did not vouch for this sign-in.',
        {
          cause,
          next: 'Begin again. Where it stays so, compare client id, redirect address and client secret with the provider.',
        },
      )
    }
  }

  async #configuration(settings: OidcSettings): Promise<Configuration> {
    const key = `${settings.issuer} ${settings.clientId}`
    const now = performance.now()
    if (this.#known?.key === key && this.#known.until > now) return this.#known.configuration
    const client = await import('openid-client')
    const { clientSecret } = this.#options
    const issuer = new URL(settings.issuer)
    try {
      const configuration = await client.discovery(
        issuer,
        settings.clientId,
        undefined,
        clientSecret === undefined ? client.None() : client.ClientSecretPost(clientSecret),
        // A provider on this very machine may do without TLS; the settings allow no other.
        { timeout: TIMEOUT_SECONDS, execute: issuer.protocol === 'http:' ? [client.allowInsecureRequests] : [] },
      )
      this.#known = { key, until: now + KEPT_MS, configuration }
      return configuration
    } catch (cause) {
      throw new TouchmarkError('oidc.unavailable', 'unavailable', 'The OpenID provider does not answer.', { cause })
    }
  }
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim !== '' ? claim : undefined
}

function groupsOf(claim: unknown): string[] {
  const all: readonly unknown[] = Array.isArray(claim) ? claim : [claim]
  return all
    .filter(each => typeof each === 'string')
    .filter(each => each.length <= MAX_GROUP)
    .slice(0, MAX_GROUPS)
}
