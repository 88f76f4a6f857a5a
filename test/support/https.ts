// One HTTPS request over a connection of its own, as a device makes it: for tests that speak to a real server.
import { request } from 'node:https'

export interface HttpsOptions {
  readonly method?: 'GET' | 'POST'
  /** PEM. */
  readonly ca: string
  readonly cert?: string
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface HttpsAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  readonly text: string
}

export function https(url: string, options: HttpsOptions): Promise<HttpsAnswer> {
  const { method = 'GET', body, ...rest } = options
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { ...rest, method, agent: false }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const whole = Buffer.concat(chunks)
        resolve({ status: response.statusCode!, headers: response.headers, body: whole, text: whole.toString() })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
