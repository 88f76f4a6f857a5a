// A service that devices call: any TLS server that knows the roots and nothing else of this platform. OpenSSL judges the client's chain
// in the handshake; whoever has none from these roots does not get in.
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'

export interface RelyingServiceOptions {
  /** PEM: its own certificate with the chain, and its key. */
  readonly cert: string
  readonly key: string
  /** Roots in PEM. */
  readonly trustAnchors: string
}

export class RelyingService {
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** Listens on a free port of this machine. */
  static async start(options: RelyingServiceOptions): Promise<RelyingService> {
    const server = createServer(
      {
        cert: options.cert,
        key: options.key,
        ca: options.trustAnchors,
        requestCert: true,
        rejectUnauthorized: true,
        minVersion: 'TLSv1.3',
      },
      (request, response) => {
        const certificate = (request.socket as TLSSocket).getPeerX509Certificate()
        response.end(certificate?.subject.replaceAll('\n', ', ') ?? '')
      },
    )
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
    await promise
    return new RelyingService(server)
  }

  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}/`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>(resolve => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }
}
