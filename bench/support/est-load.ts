// A crowd of devices: each opens a connection of its own, shows its birth certificate, posts its CSR and reads the reply. Prints `{}` when it is
// about to begin and `{"seconds":…}` at the end; ends with an error at the first reply that is not 200.
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { connect, createSecureContext, type SecureContext } from 'node:tls'
import type { LoadDevice } from './est.ts'

const CONCURRENT = 16

const [url, trust] = process.argv.slice(2)
const target = new URL(url!)
const ca = readFileSync(trust!, 'utf8')
const devices = (JSON.parse(await text(process.stdin)) as LoadDevice[]).map(device => ({
  context: createSecureContext({ ca, key: device.key, cert: device.certificate }),
  request: Buffer.from(
    `POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: ${target.host}\r\nContent-Type: application/pkcs10\r\n` +
      `Content-Transfer-Encoding: base64\r\nContent-Length: ${device.body.length}\r\nConnection: close\r\n\r\n${device.body}`,
  ),
}))

console.log('{}')
const started = performance.now()
let next = 0
await Promise.all(
  Array.from({ length: CONCURRENT }, async () => {
    while (next < devices.length) await enrol(devices[next++]!)
  }),
)
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000 }))

function enrol({ context, request }: { context: SecureContext; request: Buffer }): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      servername: 'localhost',
      port: Number(target.port),
      secureContext: context,
    })
    const chunks: Buffer[] = []
    socket.once('secureConnect', () => socket.write(request))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('error', reject)
    socket.once('close', () => {
      const reply = Buffer.concat(chunks).toString('latin1')
      if (reply.startsWith('HTTP/1.1 200')) resolve()
      else reject(new Error(`The reply is not 200: ${reply.slice(0, 300)}`))
    })
  })
}
