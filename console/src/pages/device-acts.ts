// What can be done with a device in its state, and what doing it will mean: told before it is done, from what the device holds now.
import type { DeviceDetail } from '../api/schema.ts'
import { texts } from '../texts/texts.ts'

const t = texts.acts

export const ACTS = ['ship', 'suspend', 'resume', 'renew', 'revoke', 'retire', 'destroy'] as const
export type Act = (typeof ACTS)[number]

type State = DeviceDetail['device']['state']

/** The states from which an act leads on. */
export const FROM: Readonly<Record<Act, readonly State[]>> = {
  ship: ['manufactured'],
  suspend: ['manufactured', 'shipped', 'active'],
  resume: ['suspended'],
  renew: ['manufactured', 'shipped', 'active'],
  revoke: ['manufactured', 'shipped', 'active', 'suspended'],
  retire: ['manufactured', 'shipped', 'active', 'suspended'],
  destroy: ['retired'],
}

export const PERMISSION: Readonly<Record<Act, string>> = {
  ship: 'device.write',
  suspend: 'device.write',
  resume: 'device.write',
  renew: 'device.write',
  revoke: 'certificate.revoke',
  retire: 'device.end',
  destroy: 'device.end',
}

/** What cannot be taken back asks for the serial number to be typed. */
export const FINAL: ReadonlySet<Act> = new Set(['revoke', 'retire', 'destroy'])

export function actsFor(state: State, permissions: { has(name: string): boolean }): Act[] {
  return ACTS.filter(act => FROM[act].includes(state) && permissions.has(PERMISSION[act]))
}

/** One effect a line, with numbers where there are any. */
export function effectsOf(act: Act, detail: DeviceDetail): string[] {
  const live = detail.certificates.filter(({ status, expired }) => status === 'good' && !expired).length
  const held = detail.certificates.filter(({ status }) => status === 'held').length
  const { openTokens, waitingRequests } = detail
  const transfers = detail.transfers.filter(({ state }) => state === 'proposed' || state === 'accepted').length
  const personal = detail.properties.filter(property => property.personal).length
  switch (act) {
    case 'ship':
      return [t.effects.state(texts.deviceStates.shipped)]
    case 'suspend':
      return [
        t.effects.hold(live),
        t.effects.noEnrolment,
        ...(openTokens > 0 ? [t.effects.tokens(openTokens)] : []),
        ...(waitingRequests > 0 ? [t.effects.requests(waitingRequests)] : []),
        t.effects.resumable,
      ]
    case 'resume':
      return [t.effects.release(held), t.effects.backTo(detail.suspendedFrom)]
    case 'renew':
      return [t.effects.orderRenewal, t.effects.orderTold]
    case 'revoke':
      return [t.effects.revoke(live + held), t.effects.cutOff, t.effects.final]
    case 'retire':
      return [
        t.effects.revoke(live + held),
        t.effects.keysArchived,
        ...(openTokens > 0 ? [t.effects.tokens(openTokens)] : []),
        ...(transfers > 0 ? [t.effects.transfers(transfers)] : []),
        t.effects.final,
      ]
    case 'destroy':
      return [t.effects.destroyed, ...(personal > 0 ? [t.effects.personal(personal)] : []), t.effects.final]
    default:
      return act satisfies never
  }
}
