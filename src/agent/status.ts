// What an agent says of itself to a person or a script: read from its files, without the network and without its keys being opened.
import { parseCertificate } from '../core/pki/certificate.ts'
import { validateChain } from '../core/pki/path.ts'
import { verifySignature } from '../crypto/verify.ts'
import type { AgentClock } from './agent-clock.ts'
import { NOTABLE_SKEW_SECONDS } from './agent-clock.ts'
import { type AgentState, pinnedRoots } from './agent-state.ts'
import { isKeyAsWritten, readChain } from './home.ts'
import type { AgentStorage } from './storage.ts'

/** Times are RFC 3339. */
export interface AgentStatus {
  /** Whether there is an identity that may be used now: files as written, a path to a pinned root, within its time, not suspended. */
  readonly valid: boolean
  /** Why not: a stable code. */
  readonly reason: string | null
  readonly notAfter: string | null
  readonly renewAfter: string | null
  /** Of the certificate, hexadecimal. */
  readonly serialNumber: string | null
  readonly state: 'new' | 'enrolling' | 'active' | 'suspended' | 'wiping' | 'wiped'
  readonly device: { readonly model: string; readonly serialNumber: string } | null
  readonly profile: string | null
  readonly keyAlgorithm: string | null
  readonly keyPlace: string | null
  readonly keyProtection: 'none' | 'passphrase' | 'hardware' | null
  readonly servers: readonly string[]
  readonly trustBundle: { readonly version: number; readonly roots: number } | null
  readonly renewal: { readonly windowStart: string; readonly windowEnd: string; readonly reason: string } | null
  /** Whether a request is under way whose answer has not come. */
  readonly requestPending: boolean
  readonly lastReport: string | null
  readonly lastError: { readonly code: string; readonly message: string; readonly at: string } | null
  readonly clockIsWrong: boolean
}

export async function statusOf(
  state: AgentState | undefined,
  storage: AgentStorage,
  clock: AgentClock,
): Promise<AgentStatus> {
  if (!state) return NOTHING
  const reason = await whyNot(state, storage, clock.now())
  const { current, renewal, lastError, lastReportAt } = state
  return {
    valid: reason === null,
    reason,
    notAfter: current && timestamp(current.notAfter),
    renewAfter: current && renewal && timestamp(renewal.renewAt),
    serialNumber: current?.serialNumber ?? null,
    state: stateOf(state),
    device: state.device,
    profile: state.profile,
    keyAlgorithm: state.keyAlgorithm,
    keyPlace: state.keyPlace,
    keyProtection: state.keyPlace.startsWith('file') ? (state.seal ? 'passphrase' : 'none') : 'hardware',
    servers: state.servers,
    trustBundle: { version: state.trust.version, roots: state.trust.certificates.length },
    renewal: renewal && {
      windowStart: timestamp(renewal.windowStart),
      windowEnd: timestamp(renewal.windowEnd),
      reason: renewal.reason,
    },
    requestPending: state.pending !== null,
    lastReport: lastReportAt === null ? null : timestamp(lastReportAt),
    lastError: lastError && { code: lastError.code, message: lastError.message, at: timestamp(lastError.at) },
    clockIsWrong: clock.isWrong || Math.abs(clock.skewSeconds ?? 0) > NOTABLE_SKEW_SECONDS,
  }
}

const NOTHING: AgentStatus = {
  valid: false,
  reason: 'agent.not_enrolled',
  notAfter: null,
  renewAfter: null,
  serialNumber: null,
  state: 'new',
  device: null,
  profile: null,
  keyAlgorithm: null,
  keyPlace: null,
  keyProtection: null,
  servers: [],
  trustBundle: null,
  renewal: null,
  requestPending: false,
  lastReport: null,
  lastError: null,
  clockIsWrong: false,
}

function stateOf(state: AgentState): AgentStatus['state'] {
  if (state.wipe) return state.wipe.done ? 'wiped' : 'wiping'
  if (state.suspended) return 'suspended'
  return state.current ? 'active' : 'enrolling'
}

async function whyNot(state: AgentState, storage: AgentStorage, at: number): Promise<string | null> {
  const { current } = state
  if (state.wipe) return 'agent.wiped'
  if (state.suspended) return 'agent.suspended'
  if (!current) return 'agent.not_enrolled'
  try {
    if (!(await isKeyAsWritten(storage, current))) return 'agent.key_altered'
    const [leaf, ...intermediates] = (await readChain(storage, current)).map(parseCertificate)
    if (!leaf) return 'agent.certificate_altered'
    const anchors = pinnedRoots(state).map(parseCertificate)
    const result = validateChain({ leaf, intermediates, anchors, at, verify: verifySignature })
    return result.ok ? null : result.code
  } catch {
    return 'agent.certificate_altered'
  }
}

export function timestamp(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
