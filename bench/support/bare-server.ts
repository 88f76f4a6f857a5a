// The limit for EST: Node's own HTTPS server with this instance's TLS material, asking for a client certificate, reading the body, and
// answering a constant. What it cannot do, nothing on top of it can.
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { toPem } from '../../src/core/asn1/pem.ts'
import { serverCertificate } from '../../src/server/server-certificate.ts'
import { openBenchInstance } from './instance.ts'

/** About what a certs-only reply for one P-256 certificate has. */
const ANSWER = Buffer.alloc(1100, 0x41)

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: bare-server.ts DATA_FOLDER')
const instance = await openBenchInstance(folder)
const { key, cert } = await serverCertificate(['localhost', '127.0.0.1'], instance)
const ca = (await instance.authorities.trustBundle()).map(der => toPem('CERTIFICATE', der))
await instance[Symbol.asyncDispose]()

const options = { key, cert, ca, requestCert: true, rejectUnauthorized: false }
const server = createServer(options, (request, response) => {
  request.resume()
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/pkcs7-mime' }).end(ANSWER))
})
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ ready: true, url: `https://localhost:${(server.address() as AddressInfo).port}` }))
})
process.once('SIGTERM', () => server.close(() => process.exit(0)).closeAllConnections())
