// The transport of real devices: one TLS connection an exchange, because a device that wakes up has no other. The server must lead to
// the pinned roots and have the name that was called; body and time are bounded; redirects are not followed.
import type { Buffer } from 'node:buffer'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { checkServerIdentity, connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { parsePem } from '../core/asn1/pem.ts'
import { type Bytes, concat, copyBytes, equalBytes } from '../core/bytes/bytes.ts'
import { TouchmarkError } from '../core/errors.ts'
import { type Certificate, parseCertificate } from '../core/pki/certificate.ts'
import { validateChain } from '../core/pki/path.ts'
import { verifySignature } from '../crypto/verify.ts'
import type { TlsFacts, Transport, TransportAnswer, TransportRequest } from './transport.ts'

/** HTTPS by node:tls. */
export const httpsTransport: Transport = {
  async exchange(request) {
    const url = new URL(request.url)
    if (url.protocol !== 'https:') {
      throw new TouchmarkError('transport.not_https', 'malformed', 'The address of a server begins with https://.', {
        evidence: { protocol: url.protocol },
      })
    }
    const deadline = AbortSignal.timeout(request.deadlineMs)
    const signal = request.signal ? AbortSignal.any([request.signal, deadline]) : deadline
    let socket: TLSSocket | undefined
    try {
      socket = await open(url, request, signal)
      const tls = factsOf(socket)
      return await answerOn(socket, url, request, tls, signal)
    } catch (thrown) {
      request.signal?.throwIfAborted()
      if (deadline.aborted) throw late(url, request.deadlineMs)
      throw failure(url, thrown)
    } finally {
      socket?.destroy()
    }
  },
}

/** A connection whose other end has proven itself. */
function open(url: URL, request: TransportRequest, signal: AbortSignal): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const byUs = request.notBeforeTime !== undefined
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const socket = connect({
      host,
      port: url.port === '' ? 443 : Number(url.port),
      ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
      ca: request.trustAnchors,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      // With a clock that is known to be wrong OpenSSL, which knows no other, cannot judge the times: then it is done here, before
      // anything is sent.
      rejectUnauthorized: !byUs,
      ...(request.identity ? { cert: request.identity.certificates, key: request.identity.key } : {}),
    })
    const abort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'))
    signal.addEventListener('abort', abort, { once: true })
    const fail = (error: Error) => {
      signal.removeEventListener('abort', abort)
      socket.destroy()
      reject(error)
    }
    socket.once('error', fail)
    socket.once('close', () => fail(new Error('closed')))
    socket.once('secureConnect', () => {
      try {
        if (byUs && !socket.authorized) checkAt(socket, host, request.trustAnchors, request.notBeforeTime)
      } catch (thrown) {
        fail(thrown as Error)
        return
      }
      signal.removeEventListener('abort', abort)
      socket.off('error', fail)
      // Until the request takes it over: an error that nobody hears ends the process.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

/** Reasons of OpenSSL that a wrong clock explains. */
const ABOUT_TIME: readonly string[] = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED']

/** The server's chain at the newest of: the time that there is evidence of, and the beginnings of the certificates themselves. */
function checkAt(socket: TLSSocket, host: string, trustAnchors: string, evident: number): void {
  const reason = socket.authorizationError as unknown
  const code = reason instanceof Error && 'code' in reason ? String(reason.code) : String(reason)
  if (!ABOUT_TIME.includes(code)) throw untrusted(host, code)
  const peer = socket.getPeerCertificate(true)
  const [leaf, ...intermediates] = peerChain(peer)
  const anchors = parsePem(trustAnchors).map(({ der }) => parseCertificate(der))
  if (!leaf) throw untrusted(host, code)
  const at = Math.max(evident, ...[leaf, ...intermediates, ...anchors].map(({ notBefore }) => notBefore))
  const result = validateChain({ leaf, intermediates, anchors, at, verify: verifySignature, purpose: 'server' })
  if (!result.ok) throw untrusted(host, result.code)
  if (checkServerIdentity(host, peer) !== undefined) throw untrusted(host, 'ERR_TLS_CERT_ALTNAME_INVALID')
}

const MAX_PEER_CHAIN = 10

function peerChain(peer: DetailedPeerCertificate): Certificate[] {
  const chain: Certificate[] = []
  for (
    let at: DetailedPeerCertificate | undefined = peer;
    at?.raw && chain.length < MAX_PEER_CHAIN;
    at = at.issuerCertificate
  ) {
    const raw = copyBytes(at.raw)
    if (chain.some(known => equalBytes(known.raw, raw))) break
    chain.push(parseCertificate(raw))
  }
  return chain
}

function factsOf(socket: TLSSocket): TlsFacts {
  const certificate = socket.getPeerX509Certificate()
  const seconds = (text: string | undefined) => Math.floor(Date.parse(text ?? '') / 1000)
  return {
    protocol: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    server: certificate?.subject ?? '',
    notBefore: seconds(certificate?.validFrom),
    notAfter: seconds(certificate?.validTo),
  }
}

function answerOn(
  socket: TLSSocket,
  url: URL,
  request: TransportRequest,
  tls: TlsFacts,
  signal: AbortSignal,
): Promise<TransportAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        method: request.method,
        path: `${url.pathname}${url.search}`,
        createConnection: () => socket,
        signal,
        maxHeaderSize: 16 * 1024,
        headers: {
          host: url.host,
          connection: 'close',
          ...request.headers,
          ...(request.body === undefined ? {} : { 'content-length': String(request.body.length) }),
        },
      },
      response =>
        readBody(response, request.maxBody).then(
          body => resolve({ status: response.statusCode ?? 0, headers: flat(response), body, tls }),
          reject,
        ),
    )
    outgoing.on('error', reject)
    outgoing.end(request.body)
  })
}

async function readBody(response: IncomingMessage, maxBody: number): Promise<Bytes> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > maxBody) {
        throw new TouchmarkError('transport.body_too_large', 'malformed', 'The answer of the server is too long.', {
          evidence: { maxBody },
        })
      }
      parts.push(chunk)
    }
  } catch (thrown) {
    if (thrown instanceof TouchmarkError || response.complete) throw thrown
    throw truncated(thrown)
  }
  if (!response.complete) throw truncated()
  return concat(...parts)
}

function flat(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return headers
}

function truncated(cause?: unknown): TouchmarkError {
  return new TouchmarkError('transport.truncated', 'unavailable', 'The answer of the server broke off.', { cause })
}

function late(url: URL, deadlineMs: number): TouchmarkError {
  return new TouchmarkError('transport.deadline', 'unavailable', 'The server did not finish its answer in time.', {
    evidence: { server: url.host, deadlineMs },
  })
}

function untrusted(server: string, reason: string, cause?: unknown): TouchmarkError {
  return new TouchmarkError(
    'transport.server_untrusted',
    'forbidden',
    'The server is not one that this device trusts.',
    {
      ...(cause === undefined ? {} : { cause }),
      next: 'Check the address, the trust anchors, and the clock of the device.',
      evidence: { server, reason },
    },
  )
}

/** What OpenSSL and node:tls call a chain or a name that does not hold. */
const UNTRUSTED =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|INVALID_|PATH_LENGTH_|HOSTNAME_MISMATCH|EE_KEY_TOO_SMALL|CA_)/

function failure(url: URL, thrown: unknown): unknown {
  if (thrown instanceof TouchmarkError) return thrown
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown'
  if (UNTRUSTED.test(code)) return untrusted(url.host, code, thrown)
  if (code.startsWith('ERR_SSL_')) {
    return new TouchmarkError('transport.tls_refused', 'unavailable', 'The TLS handshake with the server failed.', {
      cause: thrown,
      evidence: { server: url.host, reason: code },
    })
  }
  return new TouchmarkError('transport.unreachable', 'unavailable', 'The server cannot be reached.', {
    cause: thrown,
    next: 'Check the address and the network.',
    evidence: { server: url.host, reason: code },
  })
}
