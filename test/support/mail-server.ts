// A mail server in this process, as far as a client needs one (RFC 5321): it takes mail, refuses it, or says nothing at all.

import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'

export interface MailServerOptions {
  /** What it does: takes mail, refuses the recipient for good, is busy just now, or never speaks. */
  readonly mood?: 'takes' | 'refuses' | 'busy' | 'hangs'
}

export class MailServer implements AsyncDisposable {
  mood: NonNullable<MailServerOptions['mood']>
  /** What clients sent between DATA and the final dot. */
  readonly mails: string[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(options: MailServerOptions) {
    this.mood = options.mood ?? 'takes'
    this.#server = createServer(socket => this.#talk(socket))
  }

  static async start(options: MailServerOptions = {}): Promise<MailServer> {
    const server = new MailServer(options)
    await new Promise<void>(resolve => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  #talk(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => undefined)
    if (this.mood === 'hangs') return
    socket.write('220 mail.example ESMTP\r\n')
    let buffered = ''
    let mail: string | undefined
    socket.on('data', data => {
      buffered += data.toString('utf8')
      for (let end = buffered.indexOf('\r\n'); end >= 0; end = buffered.indexOf('\r\n')) {
        const line = buffered.slice(0, end)
        buffered = buffered.slice(end + 2)
        if (mail !== undefined) {
          if (line === '.') {
            this.mails.push(mail)
            mail = undefined
            socket.write('250 taken\r\n')
          } else mail += `${line}\n`
          continue
        }
        const verb = line.slice(0, 4).toUpperCase()
        if (verb === 'EHLO') socket.write('250 mail.example\r\n')
        else if (verb === 'RCPT' && this.mood === 'refuses') socket.write('550 no such mailbox\r\n')
        else if (verb === 'MAIL' && this.mood === 'busy') socket.write('451 come again\r\n')
        else if (verb === 'DATA') {
          mail = ''
          socket.write('354 go on\r\n')
        } else if (verb === 'QUIT') socket.end('221 bye\r\n')
        else socket.write('250 ok\r\n')
      }
    })
  }
}
