// A real OpenID provider (oidc-provider) on a port of this machine, with people in groups, and a person who signs in there.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface Person {
  readonly name?: string
  readonly email?: string
  readonly email_verified?: boolean
  readonly groups?: readonly string[]
}

export interface TestOpenIdProvider {
  readonly issuer: string
  readonly people: Map<string, Person>
  /** Goes from the address at which we send the browser to the one at which it comes back, as this person. */
  signIn(url: string, login: string): Promise<URL>
}

export async function openIdProvider(t: TestContext, redirectUri: string): Promise<TestOpenIdProvider> {
  // Its types are not part of the package.
  const name: string = 'oidc-provider'
  const { Provider } = (await import(name)) as { Provider: new (issuer: string, configuration: object) => ProviderLike }
  const http = createServer()
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
  const issuer = `http://localhost:${(http.address() as AddressInfo).port}`
  const people = new Map<string, Person>()
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'touchmark', token_endpoint_auth_method: 'none', redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], profile: ['name', 'groups'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['a test has no secrets'] },
    findAccount: async (_: unknown, id: string) => ({
      accountId: id,
      claims: async () => ({ sub: id, ...people.get(id) }),
    }),
  })
  http.on('request', provider.callback())
  t.after(() => {
    http.closeAllConnections()
    return new Promise(resolve => http.close(resolve))
  })
  return { issuer, people, signIn: (url, login) => signIn(url, login, redirectUri) }
}

interface ProviderLike {
  callback(): RequestListener
}

/** Follows redirections and fills in the forms of the provider's development pages: first who one is, then that one agrees. */
async function signIn(url: string, login: string, redirectUri: string): Promise<URL> {
  const cookies = new Map<string, string>()
  const prompts = ['login', 'consent']
  let at = new URL(url)
  let form: URLSearchParams | undefined
  for (let steps = 0; steps < 20; steps++) {
    const cookie = [...cookies].map(pair => pair.join('=')).join('; ')
    const response = await fetch(at, {
      redirect: 'manual',
      headers: { cookie },
      ...(form ? { method: 'POST', body: form } : {}),
    })
    form = undefined
    for (const line of response.headers.getSetCookie()) {
      const [, key, value] = /^([^=]+)=([^;]*)/.exec(line)!
      cookies.set(key!, value!)
    }
    const location = response.headers.get('location')
    if (location !== null) {
      at = new URL(location, at)
      if (at.href.startsWith(redirectUri)) return at
      continue
    }
    const prompt = prompts.shift()
    if (response.status !== 200 || prompt === undefined) throw new Error(`${response.status} ${await response.text()}`)
    await response.text()
    form = new URLSearchParams(prompt === 'login' ? { prompt, login, password: 'x' } : { prompt })
  }
  throw new Error('The provider sends the browser in circles')
}
