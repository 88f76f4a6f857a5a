// One POST to somebody else's server: with a deadline, no redirects, and nothing of the answer but its status. 2xx means taken; what may pass
// (429, 5xx, no answer) is told apart from what never will.
import { TouchmarkError } from '../../core/errors.ts'

/** From the first octet to the status. */
export const SEND_MS = 10_000

export interface Post {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Throws `notify.refused`, `notify.failed`. The address stays out of both: it may be a secret. */
export async function post({ url, headers, body }: Post, signal: AbortSignal, deadlineMs = SEND_MS): Promise<void> {
  let status: number
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
    })
    status = response.status
    await response.body?.cancel()
  } catch (cause) {
    signal.throwIfAborted()
    throw new TouchmarkError('notify.failed', 'unavailable', 'The other side did not answer.', {
      evidence: { reason: reasonOf(cause) },
    })
  }
  if (status >= 200 && status < 300) return
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    throw new TouchmarkError('notify.failed', 'unavailable', `The other side answered ${status}.`, {
      evidence: { status },
    })
  }
  throw new TouchmarkError('notify.refused', 'forbidden', `The other side answered ${status}.`, {
    next: 'Check the address and the secret of the channel.',
    evidence: { status },
  })
}

/** `ECONNREFUSED`, `TimeoutError`: without the address that messages carry. */
function reasonOf(thrown: unknown): string {
  const { name, cause } = thrown as { name?: string; cause?: { code?: string } }
  return cause?.code ?? name ?? 'unknown'
}
