// `touchmark verify --ndjson`: one case a line on standard input, one answer a line on standard output, in the same order and as many of them,
// whatever the input. What is not taken from standard output holds the reading back.
import { once } from 'node:events'
import { TouchmarkError } from '../core/errors.ts'
import { type CaseAnswer, judgeCase, refusedCase } from '../domain/verdict/judge-case.ts'
import { caseId } from '../domain/verdict/read-case.ts'
import { readLines } from './read-lines.ts'
import { systemClock } from './store.ts'

/** Octets of one case: a leaf with its path takes some thousand, the rest is for CRLs. */
export const MAX_CASE = 32 * 1024 * 1024

export async function verifyLines(
  input: AsyncIterable<Uint8Array>,
  output: NodeJS.WritableStream,
  signal?: AbortSignal,
): Promise<void> {
  for await (const line of readLines(input, MAX_CASE)) {
    const answer = line.kind === 'whole' ? judgeCase(line.text, systemClock.now()) : tooLong(line.start)
    if (!output.write(`${JSON.stringify(answer)}\n`)) await once(output, 'drain', { signal })
    if (signal?.aborted) return
  }
}

function tooLong(start: string): CaseAnswer {
  const message = `A case has at most ${MAX_CASE / 1024 / 1024} MiB.`
  return refusedCase(caseId(start), new TouchmarkError('case.too_long', 'malformed', message))
}
