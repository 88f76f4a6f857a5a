// The port `Notifier`: each kind of channel in its own file, the secrets from theirs.
import { TouchmarkError } from '../../core/errors.ts'
import type { AlertChannel } from '../../domain/alerts/alert-rules.ts'
import type { Notifier } from '../../domain/alerts/notice.ts'
import type { Clock } from '../../domain/ports.ts'
import { chatPost } from './chat.ts'
import { post } from './http-post.ts'
import type { Secrets } from './secrets.ts'
import { sendMail } from './smtp.ts'
import { webhookPost } from './webhook.ts'

export interface NotifierPorts {
  readonly clock: Clock
  readonly secrets: Secrets
  /** For tests: how long the other side may take. */
  readonly deadlineMs?: number
}

export function createNotifier({ clock, secrets, deadlineMs }: NotifierPorts): Notifier {
  return {
    async send(channel: AlertChannel, notice, id, signal) {
      switch (channel.kind) {
        case 'smtp': {
          const { passwordSecret } = channel
          const password = passwordSecret === undefined ? undefined : await secrets(passwordSecret)
          return sendMail(channel, password, notice, id, signal, deadlineMs)
        }
        case 'webhook':
          return post(webhookPost(channel, await secrets(channel.secret), notice, id, clock.now()), signal, deadlineMs)
        case 'chat':
          return post(chatPost(channel, await chatAddress(channel, secrets), notice), signal, deadlineMs)
        default:
          return channel satisfies never
      }
    },
  }
}

async function chatAddress({ urlSecret }: Extract<AlertChannel, { kind: 'chat' }>, secrets: Secrets): Promise<string> {
  const url = await secrets(urlSecret)
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url
  throw new TouchmarkError('notify.secret_invalid', 'unavailable', `The secret ${urlSecret} is no web address.`, {
    next: 'Write the address of the incoming webhook into the file, and nothing else.',
  })
}
