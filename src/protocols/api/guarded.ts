// Acts that take a second person, as endpoints show them: done at once where nobody else has to agree, or waiting for an approval.
import { z } from 'zod'
import type { FourEyes } from '../../domain/access/four-eyes.ts'
import type { GuardedAct } from '../../domain/access/guarded-acts.ts'
import type { AuditEntry } from '../../domain/audit/entry.ts'
import { approvalSchema, approvalView } from './access-views.ts'
import type { Answer, Call } from './endpoint.ts'

/** `result` where it is done (200); `approval` where it waits for others (202). */
export const guardedResult = <Result extends z.ZodType>(result: Result) =>
  z.object({
    outcome: z.enum(['done', 'waiting']),
    result: result.nullable(),
    approval: approvalSchema.nullable().meta({ description: 'Where others have to agree.' }),
  })

export interface Guarded<Parameters, Result> {
  /** `summary`: one line for those who decide. */
  ask(
    parameters: Parameters,
    summary: string,
    call: Pick<Call<unknown, unknown, unknown>, 'caller'>,
  ): Promise<
    Answer<{ outcome: 'done' | 'waiting'; result: Result | null; approval: z.input<typeof approvalSchema> | null }>
  >
}

/**
 * Says once how the act is carried out. What comes back from the store after days is checked by `schema` as what comes from outside is; several
 * endpoints may ask for the act.
 */
export function guarded<Schema extends z.ZodType, Result>(
  fourEyes: FourEyes,
  act: GuardedAct,
  schema: Schema,
  carryOut: (parameters: z.output<Schema>, actor: AuditEntry['actor']) => Promise<Result>,
): Guarded<z.input<Schema>, Result> {
  fourEyes.define(act, (parameters, { actor }) => carryOut(schema.parse(parameters), actor))
  return {
    async ask(parameters, summary, { caller }) {
      const outcome = await fourEyes.request(act, parameters, summary, caller!)
      return outcome.kind === 'done'
        ? { body: { outcome: 'done', result: outcome.result as Result, approval: null } }
        : { body: { outcome: 'waiting', result: null, approval: approvalView(outcome.approval) }, status: 202 }
    },
  }
}
