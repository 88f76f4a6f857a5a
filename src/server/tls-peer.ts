// The other end of a TLS connection, read once per socket: asking Node for the certificate costs more than answering most
// requests. Channel bindings are computed when somebody asks for one.
import type { TLSSocket } from 'node:tls'
import { type Bytes, copyBytes, EMPTY } from '../core/bytes/bytes.ts'
import { toHex } from '../core/bytes/hex.ts'
import { sha256 } from '../crypto/digest.ts'
import type { Peer } from '../protocols/http.ts'

/** Longest chain that is taken from a client, leaf included: deeper device hierarchies have not been seen. */
export const MAX_PEER_CERTIFICATES = 8
/** Chains remembered for resumed sessions, and their octets together: a stranger may send a hundred kilobytes with each handshake. */
export const MAX_REMEMBERED_CHAINS = 4096
export const MAX_REMEMBERED_OCTETS = 8 * 1024 * 1024
/** Octets of a chain that is remembered at all: seven certificates of honest size. */
export const MAX_REMEMBERED_CHAIN_OCTETS = 64 * 1024

/**
 * A session that is resumed carries the client's leaf certificate and no others (RFC 8446 §4.6.1 and RFC 5077 leave the
 * content of the ticket to the server, and OpenSSL keeps the leaf). The certificates that came along in the full
 * handshake are remembered here by leaf. They are hints for path building and prove nothing.
 */
export class PeerReader {
  readonly #peers = new WeakMap<TLSSocket, Peer>()
  readonly #chains = new Map<string, readonly Bytes[]>()
  #octets = 0

  /** Who is at the other end: the same object for every request of the connection. */
  peer(socket: TLSSocket): Peer {
    let peer = this.#peers.get(socket)
    if (!peer) {
      peer = new TlsPeer(socket, this.#certificates(socket))
      this.#peers.set(socket, peer)
    }
    return peer
  }

  #certificates(socket: TLSSocket): readonly Bytes[] {
    let certificate = socket.getPeerX509Certificate()
    if (!certificate) return []
    const leaf = copyBytes(certificate.raw)
    const issuers: Bytes[] = []
    // `issuerCertificate` gives what the client sent; `getPeerCertificate(true)` mixes in the server's own trust anchors.
    for (certificate = certificate.issuerCertificate; certificate; certificate = certificate.issuerCertificate) {
      if (issuers.length === MAX_PEER_CERTIFICATES - 1) break
      issuers.push(copyBytes(certificate.raw))
    }
    if (issuers.length > 0) this.#remember(leaf, issuers)
    else if (socket.isSessionReused()) return [leaf, ...(this.#chains.get(toHex(sha256(leaf))) ?? [])]
    return [leaf, ...issuers]
  }

  #remember(leaf: Bytes, issuers: readonly Bytes[]): void {
    const octets = octetsOf(issuers)
    if (octets > MAX_REMEMBERED_CHAIN_OCTETS) return
    const name = toHex(sha256(leaf))
    this.#forget(name)
    this.#chains.set(name, issuers)
    this.#octets += octets
    while (this.#chains.size > MAX_REMEMBERED_CHAINS || this.#octets > MAX_REMEMBERED_OCTETS) {
      const oldest = this.#chains.keys().next()
      if (oldest.done) return
      this.#forget(oldest.value)
    }
  }

  #forget(name: string): void {
    this.#octets -= octetsOf(this.#chains.get(name) ?? [])
    this.#chains.delete(name)
  }
}

function octetsOf(certificates: readonly Bytes[]): number {
  return certificates.reduce((sum, { length }) => sum + length, 0)
}

class TlsPeer implements Peer {
  readonly #socket: TLSSocket
  readonly certificates: readonly Bytes[]
  readonly address: string
  #tlsUnique: Bytes | null | undefined
  #tlsExporter: Bytes | null | undefined

  constructor(socket: TLSSocket, certificates: readonly Bytes[]) {
    this.#socket = socket
    this.certificates = certificates
    this.address = socket.remoteAddress ?? ''
  }

  /**
   * RFC 5929 §3.1: the first Finished message of the most recent handshake. The client speaks first in a full handshake, the
   * server in an abbreviated one. TLS 1.3 has no such binding (RFC 8446 appendix C.5).
   */
  get tlsUnique(): Bytes | null {
    if (this.#tlsUnique === undefined) {
      const socket = this.#socket
      const finished =
        socket.getProtocol() !== 'TLSv1.2'
          ? undefined
          : socket.isSessionReused()
            ? socket.getFinished()
            : socket.getPeerFinished()
      this.#tlsUnique = finished ? copyBytes(finished) : null
    }
    return this.#tlsUnique
  }

  /** RFC 9266 §2: 32 octets of exported keying material, no context. */
  get tlsExporter(): Bytes | null {
    if (this.#tlsExporter === undefined) {
      const socket = this.#socket
      this.#tlsExporter =
        socket.getProtocol() === 'TLSv1.3'
          ? copyBytes(socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.from(EMPTY)))
          : null
    }
    return this.#tlsExporter
  }
}

/** The other end of a plain connection: nothing but an address. */
export function plainPeer(address: string): Peer {
  return { certificates: [], tlsUnique: null, tlsExporter: null, address }
}
