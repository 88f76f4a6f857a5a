// Four eyes: what cannot be undone, or gives power, happens when a second person has agreed. An act is asked for with its parameters, which
// the log commits to; others approve; whoever completes the quorum carries it out, once. Who is alone with a permission acts alone, as the
// log then says: an instance with one administrator has no second pair of eyes.
import { toHex } from '../../core/bytes/hex.ts'
import { toUtf8 } from '../../core/bytes/utf8.ts'
import { asTouchmarkError, TouchmarkError } from '../../core/errors.ts'
import type { AuditEntry } from '../audit/entry.ts'
import type { UnixSeconds } from '../ids.ts'
import type { Clock, Random, Store } from '../ports.ts'
import { type AccessSettings, readAccessSettings } from './access-settings.ts'
import type { Approval, ApprovalState } from './approval.ts'
import { approvalDigest } from './commitments.ts'
import { grantsOf } from './grants.ts'
import { GUARDED_ACTS, type GuardedAct } from './guarded-acts.ts'
import type { Operator } from './operator.ts'
import { activeOperators } from './operators.ts'
import { actorOf, may, type Principal } from './principal.ts'

export interface FourEyesPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}

/** Carries an act out, with the parameters as JSON gave them back; answers what the caller should see. */
export type CarryOut = (parameters: unknown, by: { readonly actor: AuditEntry['actor'] }) => Promise<unknown>

export type ActOutcome =
  | { readonly kind: 'done'; readonly result: unknown; readonly approval: Approval | null }
  | { readonly kind: 'waiting'; readonly approval: Approval }

/** Octets of the parameters of one act. */
const MAX_PARAMETERS = 64 * 1024
const MAX_SUMMARY = 300

export class FourEyes {
  readonly #ports: FourEyesPorts
  readonly #carryOut = new Map<GuardedAct, CarryOut>()

  constructor(ports: FourEyesPorts) {
    this.#ports = ports
  }

  /** Says how an act is carried out; once for each, at start. */
  define(act: GuardedAct, carryOut: CarryOut): void {
    if (this.#carryOut.has(act)) throw new Error(`Two ways to carry out ${act}`)
    this.#carryOut.set(act, carryOut)
  }

  /** Whether others would have to agree if the principal asked for it now. */
  async waits(act: GuardedAct, principal: Principal): Promise<boolean> {
    const settings = await readAccessSettings(this.#ports.store.read)
    return (await this.#quorum(act, settings, principal)) > 0
  }

  /**
   * Whether the operator is somebody who agrees to acts of others. Whoever could sign in as them would agree with themselves, and whoever is rid of
   * them may be alone, and act alone.
   */
  async isSecondPair({ roles }: Pick<Operator, 'roles'>): Promise<boolean> {
    const { read } = this.#ports.store
    const { acts } = (await readAccessSettings(read)).fourEyes
    const grants = await grantsOf(roles, read)
    return acts.some(act => may({ grants }, GUARDED_ACTS[act].permission))
  }

  /**
   * Does it at once where nobody else has to agree, and asks for it otherwise. The caller has checked that the principal may do it. `summary`:
   * one line for those who decide. Throws `approval.too_large`, and what the act throws.
   */
  async request(act: GuardedAct, parameters: unknown, summary: string, principal: Principal): Promise<ActOutcome> {
    const { store, clock, random } = this.#ports
    const carryOut = this.#way(act)
    const settings = await readAccessSettings(store.read)
    const quorum = await this.#quorum(act, settings, principal)
    if (quorum === 0) {
      return { kind: 'done', result: await carryOut(parameters, { actor: actorOf(principal) }), approval: null }
    }
    const text = JSON.stringify(parameters)
    if (toUtf8(text).length > MAX_PARAMETERS) {
      throw new TouchmarkError(
        'approval.too_large',
        'malformed',
        `What is asked for has more than ${MAX_PARAMETERS} octets.`,
      )
    }
    const now = clock.now()
    const approval: Approval = {
      id: `ap-${toHex(random.bytes(16))}`,
      act,
      parameters: text,
      summary: summary.slice(0, MAX_SUMMARY).toWellFormed(),
      requestedBy: principal.operatorId,
      requestedAt: now,
      expiresAt: now + settings.fourEyes.expirySeconds,
      quorum,
      approvals: [],
      state: 'waiting',
      stateChangedAt: now,
      outcome: null,
      revision: 1,
    }
    await store.commit({
      writes: [{ kind: 'approval.put', approval, from: null }],
      audit: [
        entry('approval.requested', approval, actorOf(principal), now, {
          approvalSha256: approvalDigest(approval),
          quorum,
          expiresAt: approval.expiresAt,
        }),
      ],
    })
    return { kind: 'waiting', approval }
  }

  /**
   * Approves; carries the act out where this completes the quorum. Throws `approval.not_found`, `approval.over`, `approval.own`,
   * `approval.given_already`, `access.forbidden`, `approval.changed`.
   */
  async approve(id: string, principal: Principal): Promise<ActOutcome> {
    const { store, clock } = this.#ports
    const now = clock.now()
    const approval = await this.#open(id, now)
    const act = approval.act as GuardedAct
    assertOtherPerson(approval, principal)
    if (!may(principal, GUARDED_ACTS[act].permission)) {
      throw new TouchmarkError('access.forbidden', 'forbidden', 'Who approves an act must be allowed to do it.', {
        evidence: { permission: GUARDED_ACTS[act].permission },
      })
    }
    const approvals = [...(await this.#standing(approval)), { by: principal.operatorId, at: now }]
    const complete = approvals.length >= approval.quorum
    const given = moved(approval, { approvals, state: complete ? 'executing' : 'waiting' }, now)
    const actor = actorOf(principal)
    await store.commit({
      writes: [{ kind: 'approval.put', approval: given, from: approval.revision }],
      audit: [entry('approval.given', given, actor, now, { state: given.state })],
    })
    return complete ? this.#execute(given) : { kind: 'waiting', approval: given }
  }

  /** Somebody who may approve it says no. Throws as `approve`. */
  async reject(id: string, principal: Principal): Promise<Approval> {
    const approval = await this.#open(id, this.#ports.clock.now())
    assertOtherPerson(approval, principal)
    if (!may(principal, GUARDED_ACTS[approval.act as GuardedAct].permission)) {
      throw new TouchmarkError('access.forbidden', 'forbidden', 'Who rejects an act must be allowed to do it.')
    }
    return this.#end(approval, 'rejected', null, actorOf(principal))
  }

  /** Who asked for it takes it back. Throws `approval.not_found`, `approval.over`, `access.forbidden`, `approval.changed`. */
  async withdraw(id: string, principal: Principal): Promise<Approval> {
    const approval = await this.#open(id, this.#ports.clock.now())
    if (approval.requestedBy !== principal.operatorId) {
      throw new TouchmarkError('access.forbidden', 'forbidden', 'Only who asked for it takes it back.')
    }
    return this.#end(approval, 'withdrawn', null, actorOf(principal))
  }

  /** Ends what nobody approved in time. For a job. */
  async expire(): Promise<void> {
    const { store, clock } = this.#ports
    for (const approval of await store.read.approvalsOverdue(clock.now(), 100)) {
      try {
        await this.#end(approval, 'expired', null, SYSTEM)
      } catch (thrown) {
        if (asTouchmarkError(thrown).code !== 'approval.changed') throw thrown
      }
    }
  }

  /** The approvals of those who may still give them: who was removed since, or lost the permission, agrees to nothing any more. */
  async #standing({ approvals, act }: Approval): Promise<Approval['approvals']> {
    const mays = await Promise.all(approvals.map(({ by }) => this.#may(by, act as GuardedAct)))
    return approvals.filter((_, i) => mays[i])
  }

  async #may(operatorId: string, act: GuardedAct): Promise<boolean> {
    const { read } = this.#ports.store
    const operator = await read.operator(operatorId)
    if (operator?.state !== 'active') return false
    return may({ grants: await grantsOf(operator.roles, read) }, GUARDED_ACTS[act].permission)
  }

  async #execute(approval: Approval): Promise<ActOutcome> {
    let result: unknown
    try {
      await this.#assertRequesterMay(approval)
      const carryOut = this.#way(approval.act as GuardedAct)
      const actor = { kind: 'operator', id: approval.requestedBy } as const
      result = await carryOut(JSON.parse(approval.parameters), { actor })
    } catch (thrown) {
      await this.#end(approval, 'failed', asTouchmarkError(thrown).code, SYSTEM)
      throw thrown
    }
    return { kind: 'done', result, approval: await this.#end(approval, 'executed', null, SYSTEM) }
  }

  /** Who asked may have been removed, or lost the permission, while it waited. Throws `approval.requester_gone`. */
  async #assertRequesterMay({ requestedBy, act }: Approval): Promise<void> {
    if (await this.#may(requestedBy, act as GuardedAct)) return
    throw new TouchmarkError('approval.requester_gone', 'forbidden', 'Who asked for it may not do it any more.')
  }

  async #end(
    approval: Approval,
    state: ApprovalState,
    outcome: string | null,
    actor: AuditEntry['actor'],
  ): Promise<Approval> {
    const { store, clock } = this.#ports
    const now = clock.now()
    const ended = moved(approval, { state, outcome }, now)
    await store.commit({
      writes: [{ kind: 'approval.put', approval: ended, from: approval.revision }],
      audit: [entry('approval.ended', ended, actor, now, { state, ...(outcome === null ? {} : { outcome }) })],
    })
    return ended
  }

  async #open(id: string, now: UnixSeconds): Promise<Approval> {
    const approval = await this.#ports.store.read.approval(id)
    if (approval === undefined) {
      throw new TouchmarkError('approval.not_found', 'not_found', 'There is no such request for approval.')
    }
    if (approval.state !== 'waiting' || now >= approval.expiresAt) {
      const state = approval.state === 'waiting' ? 'expired' : approval.state
      throw new TouchmarkError('approval.over', 'conflict', `The request is ${state}.`, { evidence: { state } })
    }
    return approval
  }

  /** How many others must agree: as the settings say, but nobody waits for people who do not exist. */
  async #quorum(act: GuardedAct, { fourEyes }: AccessSettings, principal: Principal): Promise<number> {
    if (!fourEyes.acts.includes(act)) return 0
    if (fourEyes.when === 'always') return fourEyes.quorum
    const { read } = this.#ports.store
    let others = 0
    for await (const operator of activeOperators(read)) {
      if (operator.id === principal.operatorId) continue
      const grants = await grantsOf(operator.roles, read)
      if (may({ grants }, GUARDED_ACTS[act].permission)) others++
      if (others >= fourEyes.quorum) break
    }
    return others === 0 ? 0 : Math.min(others, fourEyes.quorum)
  }

  #way(act: GuardedAct): CarryOut {
    const carryOut = this.#carryOut.get(act)
    if (carryOut === undefined) throw new Error(`Nobody said how to carry out ${act}`)
    return carryOut
  }
}

const SYSTEM = { kind: 'system', id: 'four-eyes' } as const

/** Nobody approves what they asked for themselves, and no program approves anything. Throws `approval.own`, `approval.given_already`. */
function assertOtherPerson(approval: Approval, principal: Principal): void {
  if (principal.kind !== 'operator') {
    throw new TouchmarkError('access.forbidden', 'forbidden', 'An API token decides nothing: people do.')
  }
  if (approval.requestedBy === principal.operatorId) {
    throw new TouchmarkError('approval.own', 'forbidden', 'You asked for it yourself: somebody else has to agree.')
  }
  if (approval.approvals.some(({ by }) => by === principal.operatorId)) {
    throw new TouchmarkError('approval.given_already', 'conflict', 'You have approved it already.')
  }
}

function moved(approval: Approval, to: Partial<Approval>, now: UnixSeconds): Approval {
  return { ...approval, ...to, stateChangedAt: now, revision: approval.revision + 1 }
}

function entry(
  action: 'approval.requested' | 'approval.given' | 'approval.ended',
  { id, act }: Approval,
  actor: AuditEntry['actor'],
  at: UnixSeconds,
  detail: AuditEntry['detail'] = {},
): AuditEntry {
  return { at, actor, action, outcome: 'done', subject: { approvalId: id }, detail: { act, ...detail } }
}
