// An application with the agent inside: enrols at its first start, calls a service with its own identity, and takes the next certificate when the
// agent has renewed. Run: node examples/embed-agent.ts https://localhost:8443 roots.pem SN-42 gateway ./device < token
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { type AgentIdentity, DeviceAgent } from '../src/agent.ts'

const [server, roots, serialNumber, model, home] = process.argv.slice(2)
if (!server || !roots || !serialNumber || !model || !home) throw new Error('See the first lines of this file.')

const agent = new DeviceAgent({
  home,
  firmware: () => '1.4.2',
  hook: async ({ event, notAfter }) => console.log(`${event}${notAfter ? `, until ${notAfter}` : ''}`),
})

if ((await agent.status()).state === 'new') {
  await agent.enrol({
    model,
    serialNumber,
    servers: [server],
    trustAnchors: await readFile(roots, 'utf8'),
    evidence: { kind: 'token', token: (await text(process.stdin)).trim() },
  })
}

// In an application: `void agent.run(signal)`. Here one round, and a renewal to see the certificate change.
await agent.tick()
console.log(await whoAmI(await agent.identity()))
await agent.renew()
console.log(await whoAmI(await agent.identity()))

/** Ask for the identity at each connection, or keep it until the hook says `renewed`. */
function whoAmI({ certificates, key, trustAnchors }: AgentIdentity): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cert: certificates, key, ca: trustAnchors, agent: false }
    request(`${server}/whoami`, options, answer => text(answer).then(resolve, reject))
      .on('error', reject)
      .end()
  })
}
