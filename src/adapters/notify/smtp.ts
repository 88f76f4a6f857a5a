// Notices by mail. STARTTLS is insisted on where it is asked for; the client is loaded with the first mail, because nothing else needs it.
import { TouchmarkError } from '../../core/errors.ts'
import type { AlertChannel } from '../../domain/alerts/alert-rules.ts'
import type { Notice } from '../../domain/alerts/notice.ts'
import type { DeliveryId } from '../../domain/ids.ts'
import { SEND_MS } from './http-post.ts'
import { headline, noticeText } from './notice-text.ts'

type SmtpChannel = Extract<AlertChannel, { kind: 'smtp' }>

/** Throws `notify.refused` where the server will never take it, `notify.failed` otherwise. */
export async function sendMail(
  channel: SmtpChannel,
  password: string | undefined,
  notice: Notice,
  id: DeliveryId,
  signal: AbortSignal,
  deadlineMs = SEND_MS,
): Promise<void> {
  const { createTransport } = await import('nodemailer')
  const { host, port, security, user, from, to } = channel
  const transport = createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(user === undefined || password === undefined ? {} : { auth: { user, pass: password } }),
    connectionTimeout: deadlineMs,
    greetingTimeout: deadlineMs,
    socketTimeout: deadlineMs,
    disableFileAccess: true,
    disableUrlAccess: true,
    tls: { minVersion: 'TLSv1.2' },
  })
  const stop = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs * 2)])
  const { promise: stopped, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(stop.reason)
  stop.addEventListener('abort', onAbort, { once: true })
  const sending = transport.sendMail({
    from: { name: 'Touchmark', address: from },
    to: [...to],
    subject: `[Touchmark] ${headline(notice)}`.slice(0, 200),
    text: noticeText(notice),
    // The same for each try: a mailbox shows it once.
    messageId: `<${id}@touchmark.invalid>`,
    date: new Date(notice.at * 1000),
    headers: { 'Auto-Submitted': 'auto-generated' },
  })
  // Where the deadline comes first, how the client gives up is of no interest.
  sending.catch(() => undefined)
  try {
    await Promise.race([sending, stopped])
  } catch (cause) {
    signal.throwIfAborted()
    throw mailError(cause)
  } finally {
    stop.removeEventListener('abort', onAbort)
    transport.close()
  }
}

/** 5xx is for good (RFC 5321 §4.2.1), but for what a change of password mends. */
function mailError(thrown: unknown): TouchmarkError {
  const { code, responseCode, name } = thrown as { code?: string; responseCode?: number; name?: string }
  const evidence = {
    reason: code ?? name ?? 'unknown',
    ...(responseCode === undefined ? {} : { status: responseCode }),
  }
  if (code === 'EAUTH') {
    return new TouchmarkError('notify.failed', 'unavailable', 'The mail server does not accept the password.', {
      next: 'Check user and secret of the channel.',
      evidence,
    })
  }
  if (responseCode !== undefined && responseCode >= 500) {
    return new TouchmarkError('notify.refused', 'forbidden', `The mail server answered ${responseCode}.`, {
      next: 'Check sender and recipients of the channel.',
      evidence,
    })
  }
  return new TouchmarkError('notify.failed', 'unavailable', 'The mail server did not take the mail.', { evidence })
}
