// A verdict as programs read it, on the command line and over the API: times in RFC 3339, serial numbers in hexadecimal.
import type { Evidence } from '../../core/errors.ts'
import type { DeviceState } from '../device/device.ts'
import { timestamp } from '../timestamp.ts'
import type { Finding } from './judge-path.ts'
import type { PathMember, StepName, Verdict, VerdictStep } from './verdict.ts'

export interface FindingView {
  code: string
  message: string
  evidence: Record<string, string | number | boolean>
}

export interface VerdictView {
  good: boolean
  code: string
  at: string
  reasons: FindingView[]
  warnings: FindingView[]
  steps: { step: StepName; outcome: VerdictStep['outcome']; text: string }[]
  path: {
    role: PathMember['role']
    subject: string
    issuer: string
    serialNumber: string
    notBefore: string
    notAfter: string
    sha256: string
    keyAlgorithm: string
    status: PathMember['status']
  }[]
  policies: string[]
  daysLeft: number
  registered: {
    authority: string
    profile: string
    device: { id: string; model: string; serialNumber: string; state: DeviceState } | null
  } | null
}

export function verdictView(verdict: Verdict): VerdictView {
  const { registered } = verdict
  return {
    good: verdict.good,
    code: verdict.code,
    at: timestamp(verdict.at),
    reasons: verdict.reasons.map(findingView),
    warnings: verdict.warnings.map(findingView),
    steps: verdict.steps.map(step => ({ ...step })),
    path: verdict.path.map(member => ({
      ...member,
      notBefore: timestamp(member.notBefore),
      notAfter: timestamp(member.notAfter),
    })),
    policies: [...verdict.policies],
    daysLeft: verdict.daysLeft,
    registered: registered
      ? {
          authority: registered.record.authorityId,
          profile: registered.record.profile,
          device: registered.device
            ? {
                id: registered.device.id,
                model: registered.device.model,
                serialNumber: registered.device.serialNumber,
                state: registered.device.state,
              }
            : null,
        }
      : null,
  }
}

function findingView({ code, message, evidence }: Finding): FindingView {
  return { code, message, evidence: { ...(evidence as Evidence) } }
}
