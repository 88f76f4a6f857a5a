// Secrets of channels: each is a file of its own, named by the channel and kept where only the server reads. Documents hold the name.
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { TouchmarkError } from '../../core/errors.ts'

/** A token or a password; no certificate chain has to fit. */
const MAX_OCTETS = 4096
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** Answers the text of a secret, without the line end that editors leave. Throws `notify.secret_missing`, `notify.secret_exposed`. */
export type Secrets = (name: string) => Promise<string>

/** Looks into the folders in their order. Read anew each time: a secret is changed by changing its file. */
export function secretsIn(...folders: readonly string[]): Secrets {
  return async name => {
    // The names of a document were checked; whoever else asks does not leave the folder either.
    if (!NAME.test(name)) throw missing(name)
    for (const folder of folders) {
      const found = await readSecret(join(folder, name), name)
      if (found !== undefined) return found
    }
    throw missing(name)
  }
}

async function readSecret(path: string, name: string): Promise<string | undefined> {
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path, 'r')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new TouchmarkError('notify.secret_missing', 'unavailable', `The secret ${name} cannot be read.`, {
      cause,
      next: 'Check who owns the file and its access rights.',
    })
  }
  try {
    const { mode, size } = await file.stat()
    if ((mode & 0o006) !== 0) {
      throw new TouchmarkError('notify.secret_exposed', 'unavailable', `Everybody on this machine reads ${name}.`, {
        next: 'Make it unreadable for others (chmod 600), and change the secret on the other side.',
      })
    }
    const text = size <= MAX_OCTETS ? (await file.readFile('utf8')).replace(/\r?\n$/, '') : ''
    if (text === '') throw missing(name)
    return text
  } finally {
    await file.close()
  }
}

function missing(name: string): TouchmarkError {
  return new TouchmarkError('notify.secret_missing', 'unavailable', `There is no secret ${name}.`, {
    next: `Write it into the file secrets/${name} of the data folder, readable for the server alone.`,
    evidence: { secret: name },
  })
}
