// A line in, an answer out, whatever the line: the whole of `touchmark verify --ndjson` but for the reading and writing.
import { asTouchmarkError, type TouchmarkError } from '../../core/errors.ts'
import type { UnixSeconds } from '../ids.ts'
import { judgePath } from './judge-path.ts'
import { type CaseId, caseId, readCase } from './read-case.ts'

/** Scripts outside rely on this form. */
export interface CaseAnswer {
  readonly id: CaseId
  readonly valid: boolean
  /** `good`, or the stable code of the most telling reason. */
  readonly code: string
  /** Why it is not good, one sentence each, beginning with the code; then warnings, which begin with that word. */
  readonly reasons: readonly string[]
}

/** Reasons that are spelled out. */
const MAX_REASONS = 32

/** Never throws. */
export function judgeCase(line: string, now: UnixSeconds): CaseAnswer {
  try {
    const { id, question } = readCase(line, now)
    const { valid, code, findings, notes } = judgePath(question)
    const reasons = [
      ...findings.map(each => `${each.code}: ${each.message}`),
      ...notes.map(each => `warning: ${each.code}: ${each.message}`),
    ]
    return { id, valid, code, reasons: reasons.slice(0, MAX_REASONS) }
  } catch (thrown) {
    return refusedCase(caseId(line), asTouchmarkError(thrown))
  }
}

export function refusedCase(id: CaseId, { code, message }: TouchmarkError): CaseAnswer {
  return { id, valid: false, code, reasons: [`${code}: ${message}`] }
}
