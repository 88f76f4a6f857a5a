// Made from the OpenAPI document by scripts/console-client.ts: change the endpoints, not this file.

export type AccessSettings = {
  fourEyes: {
    acts: readonly (
      | 'authority.create'
      | 'authority.retire'
      | 'authority.revoke'
      | 'profile.change'
      | 'rule.change'
      | 'certificate.revoke_many'
      | 'key.destroy'
      | 'role.change'
      | 'operator.roles'
      | 'access.settings'
    )[]
    quorum: number
    when: 'possible' | 'always'
    expirySeconds: number
    revokeManyAbove: number
  }
  oidc: {
    name: string
    issuer: string
    clientId: string
    scope: string
    groupsClaim: string
    roles: Readonly<
      Record<
        string,
        readonly {
          role: string
          scope: {
            owner?: string | undefined
            models?: readonly string[] | undefined
            sites?: readonly string[] | undefined
          }
        }[]
      >
    >
  } | null
}

export type ActivityRow = {
  start: string
  enrolled: number
  renewed: number
  refused: number
  revoked: number
  held: number
  registered: number
}

export type Alert = {
  id: string
  rule: string
  kind: string
  subject: string
  severity: 'notice' | 'warning' | 'critical'
  summary: string
  value: number | null
  state: 'firing' | 'acknowledged' | 'resolved'
  startedAt: string
  changedAt: string
  acknowledgement: { by: string; at: string; note: string } | null
  silencedUntil: string | null
  notifiedAt: string | null
  occurrences: number
  runbook: string
}

export type ApiToken = {
  id: string
  operatorId: string
  name: string
  permissions: readonly (
    | 'device.read'
    | 'device.write'
    | 'device.end'
    | 'certificate.read'
    | 'certificate.revoke'
    | 'certificate.revoke_many'
    | 'enrolment.read'
    | 'enrolment.decide'
    | 'token.read'
    | 'token.write'
    | 'owner.read'
    | 'owner.write'
    | 'batch.read'
    | 'batch.run'
    | 'campaign.read'
    | 'campaign.write'
    | 'authority.read'
    | 'authority.write'
    | 'key.destroy'
    | 'trust.write'
    | 'profile.read'
    | 'profile.write'
    | 'rule.read'
    | 'rule.write'
    | 'approval.read'
    | 'audit.read'
    | 'operator.read'
    | 'operator.write'
    | 'role.write'
    | 'api_token.write'
    | 'settings.read'
    | 'settings.write'
    | 'alert.read'
    | 'alert.write'
    | 'statistics.read'
  )[]
  scope: { owner?: string | undefined; models?: readonly string[] | undefined; sites?: readonly string[] | undefined }
  createdAt: string
  expiresAt: string
  lastUsedAt: string | null
  revokedAt: string | null
}

export type Approval = {
  id: string
  act:
    | 'authority.create'
    | 'authority.retire'
    | 'authority.revoke'
    | 'profile.change'
    | 'rule.change'
    | 'certificate.revoke_many'
    | 'key.destroy'
    | 'role.change'
    | 'operator.roles'
    | 'access.settings'
  summary: string
  parameters: unknown
  requestedBy: string
  requestedAt: string
  expiresAt: string
  quorum: number
  approvals: readonly { by: string; at: string }[]
  state: 'waiting' | 'executing' | 'executed' | 'failed' | 'rejected' | 'withdrawn' | 'expired'
  stateChangedAt: string
  outcome: string | null
}

export type AuditEntry = {
  index: number
  at: string
  actor: { kind: 'device' | 'operator' | 'system' | 'stranger'; id: string }
  action: string
  meaning: string
  outcome: 'done' | 'refused'
  code: string | null
  subject: Readonly<Record<string, string>>
  detail: Readonly<Record<string, string | number | boolean>>
  text: string
}

export type Authority = {
  id: string
  kind: 'root' | 'intermediate' | 'issuing'
  state: 'awaiting_certificate' | 'active' | 'retired'
  issuer: string | null
  issuerName: string | null
  keyUri: string
  keyIsHere: boolean
  generation: number
  crlShards: number
  createdAt: string
  subject: string | null
  serialNumber: string | null
  keyAlgorithm: string | null
  notBefore: string | null
  notAfter: string | null
  crl: { number: number; thisUpdate: string; nextUpdate: string; fresh: boolean } | null
  profiles: readonly string[]
}

export type AuthorityHealth = {
  id: string
  kind: 'root' | 'intermediate' | 'issuing'
  state: 'awaiting_certificate' | 'active' | 'retired'
  notBefore: string | null
  notAfter: string | null
  crl: { number: number; thisUpdate: string; nextUpdate: string; fresh: boolean } | null
}

export type Batch = {
  id: string
  profile: string
  state: 'running' | 'finished'
  done: number
  issued: number
  existing: number
  rejected: number
  createdAt: string
  finishedAt: string | null
}

export type BatchTrial = {
  units: number
  more: boolean
  issued: number
  existing: number
  rejected: number
  rejects: readonly { line: number; model: string; serialNumber: string; code: string; message: string }[]
}

export type BlastRadius = {
  devices: number
  byState: Readonly<Record<string, number>>
  byAuthority: Readonly<Record<string, number>>
  byKeyAlgorithm: Readonly<Record<string, number>>
  contact: { recent: number; silent: number; never: number }
  believedUntil: readonly { withinDays: number | null; credentials: number }[]
  lastExpiry: string | null
}

export type Caller = {
  id: string
  kind: 'operator' | 'token'
  name: string
  grants: readonly {
    permissions: readonly (
      | 'device.read'
      | 'device.write'
      | 'device.end'
      | 'certificate.read'
      | 'certificate.revoke'
      | 'certificate.revoke_many'
      | 'enrolment.read'
      | 'enrolment.decide'
      | 'token.read'
      | 'token.write'
      | 'owner.read'
      | 'owner.write'
      | 'batch.read'
      | 'batch.run'
      | 'campaign.read'
      | 'campaign.write'
      | 'authority.read'
      | 'authority.write'
      | 'key.destroy'
      | 'trust.write'
      | 'profile.read'
      | 'profile.write'
      | 'rule.read'
      | 'rule.write'
      | 'approval.read'
      | 'audit.read'
      | 'operator.read'
      | 'operator.write'
      | 'role.write'
      | 'api_token.write'
      | 'settings.read'
      | 'settings.write'
      | 'alert.read'
      | 'alert.write'
      | 'statistics.read'
    )[]
    scope: { owner?: string | undefined; models?: readonly string[] | undefined; sites?: readonly string[] | undefined }
  }[]
  authenticatedBy: 'passkey' | 'password' | 'oidc' | 'client-certificate' | 'link' | 'api-token'
  authenticatedAt: string
  sessionId: string | null
}

export type Campaign = {
  id: string
  name: string
  state: 'planned' | 'running' | 'paused' | 'finished' | 'cancelling' | 'cancelled' | 'rolling_back' | 'rolled_back'
  stateReason: string | null
  query: Readonly<Record<string, unknown>>
  target: {
    profile: string
    newKey: boolean
    keyAlgorithm:
      | (
          | 'P-256'
          | 'P-384'
          | 'P-521'
          | 'Ed25519'
          | 'RSA-2048'
          | 'RSA-3072'
          | 'RSA-4096'
          | 'ML-DSA-44'
          | 'ML-DSA-65'
          | 'ML-DSA-87'
        )
      | null
    newProfile: string | null
    authorityId: string | null
  }
  pace: {
    canary: number
    waveSize: number
    patienceSeconds: number
    perHour: number | null
    quiet: { fromMinute: number; untilMinute: number } | null
    stopAtFailureShare: number
  }
  devices: number
  wave: number
  waves: number
  createdAt: string
  startedAt: string | null
  finishedAt: string | null
}

export type CampaignProgress = {
  campaign: Campaign
  at: string
  total: {
    planned: number
    asked: number
    done: number
    failed: number
    skipped: number
    going_back: number
    back: number
  }
  waves: readonly {
    wave: number
    total: {
      planned: number
      asked: number
      done: number
      failed: number
      skipped: number
      going_back: number
      back: number
    }
  }[]
  next: Readonly<Record<string, unknown>> | null
  hanging: readonly HangingDevice[]
  failed: readonly HangingDevice[]
}

export type Certificate = {
  serialNumber: string
  issuer: string
  status: 'good' | 'held' | 'revoked'
  statusChangedAt: string | null
  reason: string | null
  invalidityDate: string | null
  holdEnds: { at: string; reason: string } | null
  expired: boolean
  profile: string
  profileVersion: number
  notBefore: string
  notAfter: string
  deviceId: string | null
  keyId: string
  replaces: CertificateName | null
  crlShard: number
  auditIndex: number
}

export type CertificateName = { issuer: string; serialNumber: string }

export type CertificateText = {
  serialNumber: string
  subject: string
  issuer: string
  notBefore: string
  notAfter: string
  keyAlgorithm: string
  signatureAlgorithm: string
  sha256: string
  keyId: string
  extensions: readonly { oid: string; name: string | null; critical: boolean; value: string }[]
  pem: string
}

export type Checkpoint = {
  origin: string
  size: number
  root: string
  at: string
  verifierKeys: readonly string[]
  note: string
}

export type Credential = {
  profile: string
  issuer: string
  serialNumber: string
  keyId: string
  keyAlgorithm:
    | 'P-256'
    | 'P-384'
    | 'P-521'
    | 'Ed25519'
    | 'RSA-2048'
    | 'RSA-3072'
    | 'RSA-4096'
    | 'ML-DSA-44'
    | 'ML-DSA-65'
    | 'ML-DSA-87'
  notBefore: string
  notAfter: string
  suggestedWindow: { start: string; end: string }
  seenAt: string | null
  previous: CertificateName | null
  retireAt: string | null
  order: {
    reason: string
    at: string
    until: string
    newKey: boolean
    keyAlgorithm:
      | (
          | 'P-256'
          | 'P-384'
          | 'P-521'
          | 'Ed25519'
          | 'RSA-2048'
          | 'RSA-3072'
          | 'RSA-4096'
          | 'ML-DSA-44'
          | 'ML-DSA-65'
          | 'ML-DSA-87'
        )
      | null
    profile: string | null
    issuer: string | null
    campaignId: string | null
  } | null
  failures: number
  lastFailure: { code: string; at: string } | null
}

export type CrlSchedule = {
  lifetimeSeconds: number
  renewBeforeSeconds: number
  keepExpiredSeconds: number
  delta: { lifetimeSeconds: number; fromEntries: number } | null
}

export type Device = {
  id: string
  serialNumber: string
  model: string
  state: 'manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed'
  batch: string | null
  labels: Readonly<Record<string, string>>
  createdAt: string
  stateChangedAt: string
}

export type DeviceActOutcome = {
  device: Device
  from: 'manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed'
  certificates: readonly { issuer: string; serialNumber: string; profile: string }[]
  keys: readonly { id: string; from: string; to: string }[]
  tokens: number
  requests: number
  transfers: number
  erased: number
}

export type DeviceDetail = {
  device: Device
  owner: string | null
  site: string | null
  properties: readonly Property[]
  keys: readonly Key[]
  credentials: readonly Credential[]
  certificates: readonly Certificate[]
  health: Health | null
  suspendedFrom: string | null
  transfers: readonly Transfer[]
  statements: readonly Statement[]
  openTokens: number
  waitingRequests: number
}

export type Document = { name: string; version: number; changedAt: string; document: Readonly<Record<string, unknown>> }

export type EndingCredential = { device: Device | null; credential: Credential }

export type Enrolment = {
  digest: string
  state: 'pending' | 'approved' | 'rejected' | 'issued'
  stateChangedAt: string | null
  by: string | null
  reason: string | null
  issued: CertificateName | null
  protocol: string
  profile: string
  rule: string
  deviceId: string | null
  serialNumberClaimed: string
  createdAt: string
}

export type ExplainedCredential = {
  profile: string
  issuer: string
  serialNumber: string
  keyId: string
  keyAlgorithm:
    | 'P-256'
    | 'P-384'
    | 'P-521'
    | 'Ed25519'
    | 'RSA-2048'
    | 'RSA-3072'
    | 'RSA-4096'
    | 'ML-DSA-44'
    | 'ML-DSA-65'
    | 'ML-DSA-87'
  notBefore: string
  notAfter: string
  suggestedWindow: { start: string; end: string }
  seenAt: string | null
  previous: CertificateName | null
  retireAt: string | null
  order: {
    reason: string
    at: string
    until: string
    newKey: boolean
    keyAlgorithm:
      | (
          | 'P-256'
          | 'P-384'
          | 'P-521'
          | 'Ed25519'
          | 'RSA-2048'
          | 'RSA-3072'
          | 'RSA-4096'
          | 'ML-DSA-44'
          | 'ML-DSA-65'
          | 'ML-DSA-87'
        )
      | null
    profile: string | null
    issuer: string | null
    campaignId: string | null
  } | null
  failures: number
  lastFailure: { code: string; at: string } | null
  standing: string
  opensAt: string
  movedBySeconds: number
  told: { suggestedWindow: { start: string; end: string }; reason: string; retryAfterSeconds: number }
}

export type GuardedOutcome = { outcome: 'done' | 'waiting'; approval: Approval | null }

export type HangingDevice = {
  deviceId: string
  serialNumber: string
  model: string
  wave: number
  reason: string
  since: string
}

export type Health = {
  at: string
  sequence: number
  clockSkewSeconds: number
  firmware: string | null
  configuration: string | null
  agentVersion: string | null
  lastError: string | null
}

export type Horizon = {
  by: 'day' | 'week'
  profiles: readonly { profile: string; live: number; expired: number; begun: number; rows: readonly HorizonRow[] }[]
}

export type HorizonRow = { start: string; expiring: number; renewing: number }

export type InclusionProof = {
  index: number
  leafHash: string
  proof: readonly string[]
  checkpoint: Checkpoint
  tlogProof: string
}

export type Job = {
  id: string
  act:
    | 'certificates.revoke'
    | 'certificates.release'
    | 'devices.ship'
    | 'devices.suspend'
    | 'devices.resume'
    | 'devices.retire'
    | 'devices.properties'
    | 'devices.renew'
    | 'batch.run'
  parameters: Readonly<Record<string, unknown>>
  requestedBy: string
  state: 'running' | 'finished' | 'failed' | 'cancelled'
  done: number
  changed: number
  failed: number
  total: number | null
  failures: readonly { what: string; code: string }[]
  outcome: string | null
  createdAt: string
  finishedAt: string | null
}

export type Key = {
  id: string
  algorithm:
    | 'P-256'
    | 'P-384'
    | 'P-521'
    | 'Ed25519'
    | 'RSA-2048'
    | 'RSA-3072'
    | 'RSA-4096'
    | 'ML-DSA-44'
    | 'ML-DSA-65'
    | 'ML-DSA-87'
  origin: 'device' | 'station' | 'server' | 'imported'
  state: 'generated' | 'established' | 'in_use' | 'suspended' | 'archived' | 'compromised' | 'destroyed'
  createdAt: string
  stateChangedAt: string
  holding: KeyHolding | null
}

export type KeyHolding = {
  place: 'file' | 'tpm' | 'secure_element' | 'hsm'
  protection: 'none' | 'passphrase' | 'hardware'
  attestation: 'none' | 'declared' | 'attested'
  at: string
}

export type ListedDevice = {
  id: string
  serialNumber: string
  model: string
  state: 'manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed'
  batch: string | null
  labels: Readonly<Record<string, string>>
  createdAt: string
  stateChangedAt: string
  owner: string | null
  site: string | null
  lastSeenAt: string | null
  expiresAt: string | null
  firmware: string | null
}

export type MadeAuthority = { id: string; state: string; request: string | null }

export type Operator = {
  id: string
  name: string
  email: string | null
  state: 'active' | 'removed'
  roles: readonly {
    role: string
    scope: { owner?: string | undefined; models?: readonly string[] | undefined; sites?: readonly string[] | undefined }
  }[]
  hasPassword: boolean
  hasTotp: boolean
  createdAt: string
  revision: number
}

export type Overview = {
  at: string
  devices: {
    total: number
    byState: {
      manufactured: number
      shipped: number
      active: number
      suspended: number
      retired: number
      destroyed: number
    }
  }
  certificates: number
  activity: readonly ActivityRow[]
  refusals: readonly { code: string; count: number }[]
  renewal: {
    live: number
    expiredNotRenewed: number
    windowsBegun: number
    endingWithin: readonly { days: number; certificates: number }[]
  }
  waiting: { requests: number; more: boolean }
  campaigns: readonly { id: string; name: string; state: string; devices: number; wave: number; waves: number }[]
  batches: readonly { id: string; profile: string; state: 'running' | 'finished'; createdAt: string }[]
  authorities: readonly AuthorityHealth[]
  log: { size: number; checkpoint: { size: number; at: string; entriesBehind: number } | null }
}

export type Passkey = {
  id: string
  name: string
  transports: readonly string[]
  createdAt: string
  lastUsedAt: string | null
}

export type PkiObject =
  | { kind: 'certificate'; certificate: CertificateText; registered: Certificate | null }
  | {
      kind: 'request'
      subject: string
      keyAlgorithm: string
      keyId: string
      signature: 'valid' | 'invalid' | 'not_checked'
      attributes: readonly string[]
      extensions: readonly { oid: string; name: string | null; critical: boolean; value: string }[]
      pem: string
    }
  | {
      kind: 'crl'
      issuer: string
      number: string | null
      thisUpdate: string
      nextUpdate: string | null
      signatureAlgorithm: string
      entries: number
      revoked: readonly { serialNumber: string; at: string; reason: string | null }[]
      extensions: readonly { oid: string; name: string | null; critical: boolean; value: string }[]
    }
  | { kind: 'unreadable'; label: string; why: string }

export type Problem = {
  title: string
  status: number
  code: string
  detail?: string | undefined
  next?: string | undefined
  requestId?: string | undefined
  evidence?: Readonly<Record<string, string | number | boolean>> | undefined
  problems?: readonly { in: string; path: string; message: string }[] | undefined
}

export type ProfileSample = {
  ok: boolean
  certificate: CertificateText | null
  findings: readonly { path: string; message: string }[]
}

export type Property = { name: string; value: string; personal: boolean }

export type RevocationOutcome = {
  changed: readonly { issuer: string; serialNumber: string; status: 'good' | 'held' | 'revoked' }[]
  unchanged: number
}

export type RevocationPreview = {
  certificates: number
  sampled: number | null
  devices: number
  byState: Readonly<Record<string, number>>
  byModel: readonly { name: string; count: number }[]
  byOwner: readonly { name: string; count: number }[]
  others: { models: number; owners: number; withoutOwner: number }
  byAuthority: Readonly<Record<string, number>>
  byKeyAlgorithm: Readonly<Record<string, number>>
  byProfile: Readonly<Record<string, number>>
  left: { some: number; none: number }
  contact: { recent: number; silent: number; never: number }
  believedUntil: readonly { withinDays: number | null; credentials: number }[]
  lastExpiry: string | null
  campaigns: readonly { id: string; name: string; devices: number }[]
  sample: readonly {
    issuer: string
    serialNumber: string
    profile: string
    notAfter: string
    device: { id: string; model: string; serialNumber: string; owner: string | null }
  }[]
  fourEyes: boolean
}

export type RevocationPublication = {
  issuer: string
  ocsp: 'at_once'
  artefact: {
    number: number
    thisUpdate: string
    nextUpdate: string
    octets: number
    sha256: string
    behind: number
  } | null
  shards: readonly {
    shard: number
    full: { number: number; thisUpdate: string; nextUpdate: string; octets: number; sha256: string } | null
    delta: { number: number; thisUpdate: string; nextUpdate: string; octets: number; sha256: string } | null
    behind: number
  }[]
}

export type Role = {
  name: string
  description: string
  permissions: readonly (
    | 'device.read'
    | 'device.write'
    | 'device.end'
    | 'certificate.read'
    | 'certificate.revoke'
    | 'certificate.revoke_many'
    | 'enrolment.read'
    | 'enrolment.decide'
    | 'token.read'
    | 'token.write'
    | 'owner.read'
    | 'owner.write'
    | 'batch.read'
    | 'batch.run'
    | 'campaign.read'
    | 'campaign.write'
    | 'authority.read'
    | 'authority.write'
    | 'key.destroy'
    | 'trust.write'
    | 'profile.read'
    | 'profile.write'
    | 'rule.read'
    | 'rule.write'
    | 'approval.read'
    | 'audit.read'
    | 'operator.read'
    | 'operator.write'
    | 'role.write'
    | 'api_token.write'
    | 'settings.read'
    | 'settings.write'
    | 'alert.read'
    | 'alert.write'
    | 'statistics.read'
  )[]
  builtIn: boolean
}

export type Session = {
  id: string
  method: 'passkey' | 'password' | 'oidc' | 'client-certificate' | 'link' | 'api-token'
  createdAt: string
  seenAt: string
  expiresAt: string
  address: string
  agent: string
  current: boolean
}

export type Statement = {
  kind: 'wipe' | 'destruction_witness' | 'ownership_transfer' | 'destruction_facts'
  sha256: string
  at: string
}

export type StuckDevice = {
  device: Device
  credential: Credential
  reason: 'device_not_active' | 'refused' | 'order_not_followed' | 'never_seen' | 'silent'
  expired: boolean
  lastReportAt: string | null
  lastReportedError: string | null
}

export type Token = {
  id: string
  deviceId: string
  profile: string
  state: 'open' | 'used' | 'cancelled' | 'expired'
  createdAt: string
  expiresAt: string
  usedAt: string | null
  cancelledAt: string | null
}

export type Transfer = {
  id: string
  deviceId: string
  from: string | null
  to: string
  state: 'proposed' | 'accepted' | 'effective' | 'cancelled'
  stateChangedAt: string
  effectiveAt: string
  newKey: boolean
  agreements: readonly { party: 'from' | 'to'; by: 'signature' | 'rule' | 'operator'; at: string }[]
  createdAt: string
}

export type UndeliveredNotice = {
  id: string
  channel: string
  attempts: number
  lastError: string | null
  createdAt: string
  summaries: readonly string[]
}

export type Upload = { id: string; octets: number; expectedUnits: number | null; at: string }

export type Verdict = {
  good: boolean
  code: string
  at: string
  reasons: readonly { code: string; message: string; evidence: Readonly<Record<string, string | number | boolean>> }[]
  warnings: readonly { code: string; message: string; evidence: Readonly<Record<string, string | number | boolean>> }[]
  steps: readonly {
    step: 'path' | 'status' | 'name' | 'device' | 'key' | 'conformity' | 'algorithms' | 'validity'
    outcome: 'good' | 'bad' | 'warning' | 'unknown' | 'not_asked'
    text: string
  }[]
  path: readonly {
    role: 'leaf' | 'intermediate' | 'anchor'
    subject: string
    issuer: string
    serialNumber: string
    notBefore: string
    notAfter: string
    sha256: string
    keyAlgorithm: string
    status: 'good' | 'revoked' | 'unknown' | 'not_asked'
  }[]
  policies: readonly string[]
  daysLeft: number
  registered: {
    authority: string
    profile: string
    device: {
      id: string
      model: string
      serialNumber: string
      state: 'manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed'
    } | null
  } | null
}

export type Welcome = { operator: Operator }

export type WhatIfAnswer = {
  outcome: 'granted' | 'pending' | 'denied'
  code: string | null
  rule: string | null
  because: string
  trace: readonly { check: string; verdict: 'passed' | 'failed' | 'noted'; because: string }[]
}

export interface Operations {
  showOverview: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: Overview
  }
  showHorizon: {
    params: Record<never, never>
    query: { days?: number | undefined; by?: 'day' | 'week' | undefined; profile?: string | undefined }
    body: undefined
    answer: Horizon
  }
  showActivity: {
    params: Record<never, never>
    query: { hours?: number | undefined }
    body: undefined
    answer: { rows: readonly ActivityRow[]; refusals: readonly { code: string; count: number }[] }
  }
  listDevices: {
    params: Record<never, never>
    query: {
      group?: string | undefined
      state?: readonly ('manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed')[] | undefined
      model?: string | undefined
      batch?: string | undefined
      owner?: string | undefined
      site?: string | undefined
      label?: readonly string[] | undefined
      profile?: string | undefined
      authority?: string | undefined
      keyAlgorithm?:
        | 'P-256'
        | 'P-384'
        | 'P-521'
        | 'Ed25519'
        | 'RSA-2048'
        | 'RSA-3072'
        | 'RSA-4096'
        | 'ML-DSA-44'
        | 'ML-DSA-65'
        | 'ML-DSA-87'
        | undefined
      firmware?: string | undefined
      expiresWithin?: number | undefined
      seenWithin?: number | undefined
      notSeenFor?: number | undefined
      search?: string | undefined
      sort?: 'registered' | '-registered' | 'serialNumber' | 'expiry' | undefined
      limit?: number | undefined
      after?: string | undefined
      fields?: string | undefined
    }
    body: undefined
    answer: { items: readonly ListedDevice[]; next: string | null }
  }
  showDevice: {
    params: { id: string }
    query: { fields?: string | undefined }
    body: undefined
    answer: DeviceDetail
  }
  showDeviceTimeline: {
    params: { id: string }
    query: { limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly AuditEntry[]; next: string | null }
  }
  exportDevices: {
    params: Record<never, never>
    query: {
      group?: string | undefined
      state?: readonly ('manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed')[] | undefined
      model?: string | undefined
      batch?: string | undefined
      owner?: string | undefined
      site?: string | undefined
      label?: readonly string[] | undefined
      profile?: string | undefined
      authority?: string | undefined
      keyAlgorithm?:
        | 'P-256'
        | 'P-384'
        | 'P-521'
        | 'Ed25519'
        | 'RSA-2048'
        | 'RSA-3072'
        | 'RSA-4096'
        | 'ML-DSA-44'
        | 'ML-DSA-65'
        | 'ML-DSA-87'
        | undefined
      firmware?: string | undefined
      expiresWithin?: number | undefined
      seenWithin?: number | undefined
      notSeenFor?: number | undefined
      search?: string | undefined
      sort?: 'registered' | '-registered' | 'serialNumber' | 'expiry' | undefined
      format?: 'csv' | 'ndjson' | undefined
    }
    body: undefined
    answer: Blob
  }
  shipDevice: {
    params: { id: string }
    query: Record<never, never>
    body: { because?: string | undefined }
    answer: DeviceActOutcome
  }
  suspendDevice: {
    params: { id: string }
    query: Record<never, never>
    body: { because?: string | undefined }
    answer: DeviceActOutcome
  }
  resumeDevice: {
    params: { id: string }
    query: Record<never, never>
    body: { because?: string | undefined }
    answer: DeviceActOutcome
  }
  retireDevice: {
    params: { id: string }
    query: Record<never, never>
    body: { because?: string | undefined }
    answer: DeviceActOutcome
  }
  destroyDevice: {
    params: { id: string }
    query: Record<never, never>
    body: { because?: string | undefined; witness?: string | undefined; erase?: boolean | undefined }
    answer: DeviceActOutcome
  }
  changeDeviceProperties: {
    params: { id: string }
    query: Record<never, never>
    body: { changes: readonly { name: string; value: string | null; personal?: boolean | undefined }[] }
    answer: { properties: readonly Property[] }
  }
  erasePersonalProperties: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: { erased: readonly string[] }
  }
  proposeTransfer: {
    params: { id: string }
    query: Record<never, never>
    body: { to: string; effectiveAt?: string | undefined; newKey?: boolean | undefined; byRule?: boolean | undefined }
    answer: Transfer
  }
  showTransferStatement: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: string
  }
  signTransfer: {
    params: { id: string }
    query: Record<never, never>
    body: { signature: string }
    answer: Transfer
  }
  cancelTransfer: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Transfer
  }
  explainRenewal: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: { credentials: readonly ExplainedCredential[] }
  }
  orderRenewal: {
    params: { id: string }
    query: Record<never, never>
    body: {
      profile?: string | undefined
      withinSeconds?: number | undefined
      newKey?: boolean | undefined
      keyAlgorithm?:
        | (
            | 'P-256'
            | 'P-384'
            | 'P-521'
            | 'Ed25519'
            | 'RSA-2048'
            | 'RSA-3072'
            | 'RSA-4096'
            | 'ML-DSA-44'
            | 'ML-DSA-65'
            | 'ML-DSA-87'
          )
        | null
        | undefined
      toProfile?: string | null | undefined
      toAuthority?: string | null | undefined
    }
    answer: Credential
  }
  withdrawRenewalOrder: {
    params: { id: string; profile: string }
    query: Record<never, never>
    body: undefined
    answer: Credential
  }
  listCertificates: {
    params: Record<never, never>
    query: {
      serialNumber?: string | undefined
      authority?: string | undefined
      limit?: number | undefined
      after?: string | undefined
      fields?: string | undefined
    }
    body: undefined
    answer: { items: readonly Certificate[]; next: string | null }
  }
  showCertificate: {
    params: { issuer: string; serialNumber: string }
    query: Record<never, never>
    body: undefined
    answer: { registered: Certificate; certificate: CertificateText }
  }
  decode: {
    params: Record<never, never>
    query: Record<never, never>
    body: { text: string }
    answer: { objects: readonly PkiObject[] }
  }
  revokeCertificate: {
    params: { issuer: string; serialNumber: string }
    query: Record<never, never>
    body: {
      reason:
        | 'unspecified'
        | 'keyCompromise'
        | 'cACompromise'
        | 'affiliationChanged'
        | 'superseded'
        | 'cessationOfOperation'
        | 'certificateHold'
        | 'privilegeWithdrawn'
      suspectSince?: string | undefined
      undoWithinSeconds?: number | undefined
      because?: string | undefined
    }
    answer: RevocationOutcome
  }
  releaseCertificate: {
    params: { issuer: string; serialNumber: string }
    query: Record<never, never>
    body: undefined
    answer: RevocationOutcome
  }
  revokeDevice: {
    params: { id: string }
    query: Record<never, never>
    body: {
      reason:
        | 'unspecified'
        | 'keyCompromise'
        | 'cACompromise'
        | 'affiliationChanged'
        | 'superseded'
        | 'cessationOfOperation'
        | 'certificateHold'
        | 'privilegeWithdrawn'
      suspectSince?: string | undefined
      undoWithinSeconds?: number | undefined
      because?: string | undefined
    }
    answer: RevocationOutcome
  }
  reachVerdict: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      certificate: string
      intermediates?: readonly string[] | undefined
      trust?: 'own' | { maker: string } | { anchors: readonly string[] } | undefined
      at?: string | undefined
      purpose?: 'client' | 'server' | 'code' | 'ocsp' | undefined
      name?: { kind: 'dns' | 'ip' | 'email'; value: string } | undefined
      crls?: readonly string[] | undefined
      ocspResponses?: readonly string[] | undefined
      statusArtefacts?: readonly string[] | undefined
      maxDepth?: number | undefined
      initialPolicies?: readonly string[] | undefined
      explicitPolicy?: boolean | undefined
      inhibitMapping?: boolean | undefined
      inhibitAnyPolicy?: boolean | undefined
    }
    answer: Verdict
  }
  listEnrolments: {
    params: Record<never, never>
    query: {
      state?: 'pending' | 'approved' | 'rejected' | 'issued' | undefined
      limit?: number | undefined
      after?: string | undefined
    }
    body: undefined
    answer: { items: readonly Enrolment[]; next: string | null }
  }
  showEnrolment: {
    params: { digest: string }
    query: Record<never, never>
    body: undefined
    answer: {
      enrolment: Enrolment
      device: Device | null
      request: {
        subject: string
        keyAlgorithm: string
        keyId: string
        signature: string
        extensions: readonly { oid: string; name: string | null; critical: boolean; value: string }[]
        pem: string
      } | null
    }
  }
  approveEnrolment: {
    params: { digest: string }
    query: Record<never, never>
    body: undefined
    answer: Enrolment
  }
  rejectEnrolment: {
    params: { digest: string }
    query: Record<never, never>
    body: { reason: string }
    answer: Enrolment
  }
  listTokens: {
    params: Record<never, never>
    query: { device?: string | undefined; limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly Token[]; next: string | null }
  }
  createToken: {
    params: Record<never, never>
    query: Record<never, never>
    body: { model: string; serialNumber: string; profile: string; lifetimeSeconds?: number | undefined }
    answer: { secret: string; token: Token; device: Device; registered: boolean }
  }
  cancelToken: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Token
  }
  listAuthorities: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Authority[] }
  }
  createAuthority: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      id: string
      commonName: string
      kind?: 'issuing' | 'intermediate' | undefined
      algorithm?:
        | 'P-256'
        | 'P-384'
        | 'P-521'
        | 'Ed25519'
        | 'RSA-2048'
        | 'RSA-3072'
        | 'RSA-4096'
        | 'ML-DSA-44'
        | 'ML-DSA-65'
        | 'ML-DSA-87'
        | undefined
      days?: number | undefined
      noExpiry?: boolean | undefined
      pathLength?: number | undefined
      crlShards?: number | undefined
      issuer?: string | undefined
    }
    answer: { outcome: 'done' | 'waiting'; result: MadeAuthority | null; approval: Approval | null }
  }
  showAuthority: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: {
      authority: Authority
      certificate: CertificateText | null
      chain: readonly string[]
      crlSchedule: CrlSchedule | null
    }
  }
  showAuthorityRequest: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: { request: string }
  }
  importAuthorityCertificate: {
    params: { id: string }
    query: Record<never, never>
    body: { certificates: string; acceptOtherName?: boolean | undefined }
    answer: { outcome: 'done' | 'waiting'; result: MadeAuthority | null; approval: Approval | null }
  }
  retireAuthority: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: { outcome: 'done' | 'waiting'; result: MadeAuthority | null; approval: Approval | null }
  }
  revokeAuthority: {
    params: { id: string }
    query: Record<never, never>
    body: {
      reason:
        | 'unspecified'
        | 'keyCompromise'
        | 'cACompromise'
        | 'affiliationChanged'
        | 'superseded'
        | 'cessationOfOperation'
        | 'privilegeWithdrawn'
      suspectSince?: string | undefined
      because?: string | undefined
    }
    answer: { outcome: 'done' | 'waiting'; result: MadeAuthority | null; approval: Approval | null }
  }
  destroyAuthorityKey: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: { outcome: 'done' | 'waiting'; result: MadeAuthority | null; approval: Approval | null }
  }
  showTrustBundle: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: {
      roots: readonly CertificateText[]
      pem: string
      published: { version: number; signedAt: string; signerEnds: string; roots: readonly string[] } | null
    }
  }
  listProfiles: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Document[] }
  }
  showProfile: {
    params: { name: string }
    query: { version?: number | undefined }
    body: undefined
    answer: Document
  }
  putProfile: {
    params: { name: string }
    query: Record<never, never>
    body: Readonly<Record<string, unknown>>
    answer: { outcome: 'done' | 'waiting'; result: Document | null; approval: Approval | null }
  }
  sampleProfile: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      name?: string | undefined
      draft?: Readonly<Record<string, unknown>> | undefined
      model?: string | undefined
      serialNumber?: string | undefined
      labels?: Readonly<Record<string, string>> | undefined
      fields?: Readonly<Record<string, string>> | undefined
      keyAlgorithm?:
        | 'P-256'
        | 'P-384'
        | 'P-521'
        | 'Ed25519'
        | 'RSA-2048'
        | 'RSA-3072'
        | 'RSA-4096'
        | 'ML-DSA-44'
        | 'ML-DSA-65'
        | 'ML-DSA-87'
        | undefined
      authority?: string | undefined
    }
    answer: ProfileSample
  }
  showRules: {
    params: Record<never, never>
    query: { version?: number | undefined }
    body: undefined
    answer: Document
  }
  putRules: {
    params: Record<never, never>
    query: Record<never, never>
    body: Readonly<Record<string, unknown>>
    answer: { outcome: 'done' | 'waiting'; result: Document | null; approval: Approval | null }
  }
  explainRules: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      profile: string
      operation?: 'enrol' | 'renew' | undefined
      certificate?: CertificateName | string | undefined
      device?: string | undefined
      csr?: string | undefined
      keyAlgorithm?:
        | 'P-256'
        | 'P-384'
        | 'P-521'
        | 'Ed25519'
        | 'RSA-2048'
        | 'RSA-3072'
        | 'RSA-4096'
        | 'ML-DSA-44'
        | 'ML-DSA-65'
        | 'ML-DSA-87'
        | undefined
      serverKey?: boolean | undefined
      channelBinding?: boolean | undefined
      rules?: Readonly<Record<string, unknown>> | undefined
    }
    answer: WhatIfAnswer
  }
  listGroups: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Document[] }
  }
  showGroup: {
    params: { name: string }
    query: { version?: number | undefined }
    body: undefined
    answer: Document
  }
  putGroup: {
    params: { name: string }
    query: Record<never, never>
    body: Readonly<Record<string, unknown>>
    answer: Document
  }
  listOwners: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Document[] }
  }
  showOwner: {
    params: { name: string }
    query: { version?: number | undefined }
    body: undefined
    answer: Document
  }
  putOwner: {
    params: { name: string }
    query: Record<never, never>
    body: Readonly<Record<string, unknown>>
    answer: Document
  }
  listTrustAnchors: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Document[] }
  }
  showTrustAnchors: {
    params: { name: string }
    query: { version?: number | undefined }
    body: undefined
    answer: Document
  }
  putTrustAnchors: {
    params: { name: string }
    query: Record<never, never>
    body: Readonly<Record<string, unknown>>
    answer: Document
  }
  forgetTrustAnchors: {
    params: { name: string }
    query: Record<never, never>
    body: undefined
    answer: Document
  }
  showSettings: {
    params: Record<never, never>
    query: { version?: number | undefined }
    body: undefined
    answer: Document
  }
  putSettings: {
    params: Record<never, never>
    query: Record<never, never>
    body: Readonly<Record<string, unknown>>
    answer: Document
  }
  listStuckDevices: {
    params: Record<never, never>
    query: { profile?: string | undefined; limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly StuckDevice[]; next: string | null }
  }
  listEndingCredentials: {
    params: Record<never, never>
    query: {
      within?: number | undefined
      profile?: string | undefined
      limit?: number | undefined
      after?: string | undefined
    }
    body: undefined
    answer: { items: readonly EndingCredential[]; next: string | null }
  }
  listCampaigns: {
    params: Record<never, never>
    query: { limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly Campaign[]; next: string | null }
  }
  createCampaign: {
    params: Record<never, never>
    query: Record<never, never>
    body: Readonly<Record<string, unknown>>
    answer: Campaign
  }
  showCampaign: {
    params: { name: string }
    query: Record<never, never>
    body: undefined
    answer: CampaignProgress
  }
  listCampaignDevices: {
    params: { name: string }
    query: {
      state?: 'planned' | 'asked' | 'done' | 'failed' | 'skipped' | 'going_back' | 'back' | undefined
      limit?: number | undefined
      after?: string | undefined
    }
    body: undefined
    answer: { items: readonly HangingDevice[]; next: string | null }
  }
  previewDevices: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      devices: {
        states?: readonly ('manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed')[] | undefined
        model?: string | undefined
        batch?: string | undefined
        owner?: string | undefined
        site?: string | undefined
        labels?: Readonly<Record<string, string>> | undefined
        profile?: string | undefined
        authority?: string | undefined
        keyAlgorithm?:
          | 'P-256'
          | 'P-384'
          | 'P-521'
          | 'Ed25519'
          | 'RSA-2048'
          | 'RSA-3072'
          | 'RSA-4096'
          | 'ML-DSA-44'
          | 'ML-DSA-65'
          | 'ML-DSA-87'
          | undefined
        firmware?: string | undefined
        expiresWithinSeconds?: number | undefined
        seenWithinSeconds?: number | undefined
        notSeenForSeconds?: number | undefined
      }
    }
    answer: BlastRadius
  }
  startCampaign: {
    params: { name: string }
    query: Record<never, never>
    body: undefined
    answer: Campaign
  }
  pauseCampaign: {
    params: { name: string }
    query: Record<never, never>
    body: undefined
    answer: Campaign
  }
  resumeCampaign: {
    params: { name: string }
    query: Record<never, never>
    body: { stopAtFailureShare?: number | undefined }
    answer: Campaign
  }
  cancelCampaign: {
    params: { name: string }
    query: Record<never, never>
    body: undefined
    answer: Campaign
  }
  rollBackCampaign: {
    params: { name: string }
    query: Record<never, never>
    body: undefined
    answer: Campaign
  }
  showPlaybook: {
    params: Record<never, never>
    query: Record<never, never>
    body:
      | { kind: 'device'; serialNumber: string }
      | { kind: 'batch'; batch: string; profile: string }
      | { kind: 'authority'; authority: string; to: string; profile: string; compromised?: boolean | undefined }
      | {
          kind: 'algorithm'
          algorithm:
            | 'P-256'
            | 'P-384'
            | 'P-521'
            | 'Ed25519'
            | 'RSA-2048'
            | 'RSA-3072'
            | 'RSA-4096'
            | 'ML-DSA-44'
            | 'ML-DSA-65'
            | 'ML-DSA-87'
          to:
            | 'P-256'
            | 'P-384'
            | 'P-521'
            | 'Ed25519'
            | 'RSA-2048'
            | 'RSA-3072'
            | 'RSA-4096'
            | 'ML-DSA-44'
            | 'ML-DSA-65'
            | 'ML-DSA-87'
          profile: string
        }
    answer: {
      title: string
      preview: BlastRadius | null
      definition: Readonly<Record<string, unknown>> | null
      steps: readonly { what: string; command: string | null }[]
    }
  }
  listBatches: {
    params: Record<never, never>
    query: { limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly Batch[]; next: string | null }
  }
  runBatch: {
    params: Record<never, never>
    query: Record<never, never>
    body: { upload: string; profile: string; model?: string | undefined }
    answer: Job
  }
  showBatch: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Batch
  }
  uploadBatch: {
    params: Record<never, never>
    query: Record<never, never>
    body: Blob
    answer: Upload
  }
  tryBatch: {
    params: Record<never, never>
    query: Record<never, never>
    body: { upload: string; profile: string; model?: string | undefined; limit?: number | undefined }
    answer: BatchTrial
  }
  downloadBatchFile: {
    params: { id: string; file: 'results.csv' | 'rejects.csv' | 'manifest.json' | 'manifest.json.p7s' }
    query: Record<never, never>
    body: undefined
    answer: Blob
  }
  listAlerts: {
    params: Record<never, never>
    query: {
      state?: 'firing' | 'acknowledged' | 'resolved' | undefined
      limit?: number | undefined
      after?: string | undefined
      fields?: string | undefined
    }
    body: undefined
    answer: { items: readonly Alert[]; next: string | null }
  }
  showAlert: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Alert
  }
  acknowledgeAlert: {
    params: { id: string }
    query: Record<never, never>
    body: { note?: string | undefined }
    answer: Alert
  }
  silenceAlert: {
    params: { id: string }
    query: Record<never, never>
    body: { seconds: number | null }
    answer: Alert
  }
  showAlertRules: {
    params: Record<never, never>
    query: { version?: number | undefined }
    body: undefined
    answer: Document
  }
  putAlertRules: {
    params: Record<never, never>
    query: Record<never, never>
    body: Readonly<Record<string, unknown>>
    answer: Document
  }
  testAlertChannel: {
    params: { name: string }
    query: Record<never, never>
    body: undefined
    answer: { taken: boolean; code: string | null; message: string | null }
  }
  listUndeliveredNotices: {
    params: Record<never, never>
    query: { limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly UndeliveredNotice[]; next: string | null }
  }
  redeliverNotice: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: UndeliveredNotice
  }
  discardNotice: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: undefined
  }
  listen: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: Blob
  }
  actOnDevices: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      act: 'ship' | 'suspend' | 'resume' | 'retire' | 'properties' | 'renew'
      devices?:
        | {
            states?:
              | readonly ('manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed')[]
              | undefined
            model?: string | undefined
            batch?: string | undefined
            owner?: string | undefined
            site?: string | undefined
            labels?: Readonly<Record<string, string>> | undefined
            profile?: string | undefined
            authority?: string | undefined
            keyAlgorithm?:
              | 'P-256'
              | 'P-384'
              | 'P-521'
              | 'Ed25519'
              | 'RSA-2048'
              | 'RSA-3072'
              | 'RSA-4096'
              | 'ML-DSA-44'
              | 'ML-DSA-65'
              | 'ML-DSA-87'
              | undefined
            firmware?: string | undefined
            expiresWithinSeconds?: number | undefined
            seenWithinSeconds?: number | undefined
            notSeenForSeconds?: number | undefined
          }
        | undefined
      ids?: readonly string[] | undefined
      because?: string | undefined
      newKey?: boolean | undefined
      changes?: readonly { name: string; value: string | null; personal?: boolean | undefined }[] | undefined
      expectedDevices: number
    }
    answer: Job
  }
  listJobs: {
    params: Record<never, never>
    query: { limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly Job[]; next: string | null }
  }
  showJob: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Job
  }
  cancelJob: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Job
  }
  previewRevocation: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      certificates?:
        | {
            authority?: string | undefined
            profile?: string | undefined
            keyAlgorithm?:
              | 'P-256'
              | 'P-384'
              | 'P-521'
              | 'Ed25519'
              | 'RSA-2048'
              | 'RSA-3072'
              | 'RSA-4096'
              | 'ML-DSA-44'
              | 'ML-DSA-65'
              | 'ML-DSA-87'
              | undefined
            batch?: string | undefined
            issuedFrom?: string | undefined
            issuedBefore?: string | undefined
            expiresFrom?: string | undefined
            expiresBefore?: string | undefined
          }
        | undefined
      devices?:
        | {
            states?:
              | readonly ('manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed')[]
              | undefined
            model?: string | undefined
            batch?: string | undefined
            owner?: string | undefined
            site?: string | undefined
            labels?: Readonly<Record<string, string>> | undefined
            profile?: string | undefined
            authority?: string | undefined
            keyAlgorithm?:
              | 'P-256'
              | 'P-384'
              | 'P-521'
              | 'Ed25519'
              | 'RSA-2048'
              | 'RSA-3072'
              | 'RSA-4096'
              | 'ML-DSA-44'
              | 'ML-DSA-65'
              | 'ML-DSA-87'
              | undefined
            firmware?: string | undefined
            expiresWithinSeconds?: number | undefined
            seenWithinSeconds?: number | undefined
            notSeenForSeconds?: number | undefined
          }
        | undefined
      ids?: readonly string[] | undefined
      reason?:
        | 'unspecified'
        | 'keyCompromise'
        | 'cACompromise'
        | 'affiliationChanged'
        | 'superseded'
        | 'cessationOfOperation'
        | 'certificateHold'
        | 'privilegeWithdrawn'
        | undefined
    }
    answer: RevocationPreview
  }
  revokeMany: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      certificates?:
        | {
            authority?: string | undefined
            profile?: string | undefined
            keyAlgorithm?:
              | 'P-256'
              | 'P-384'
              | 'P-521'
              | 'Ed25519'
              | 'RSA-2048'
              | 'RSA-3072'
              | 'RSA-4096'
              | 'ML-DSA-44'
              | 'ML-DSA-65'
              | 'ML-DSA-87'
              | undefined
            batch?: string | undefined
            issuedFrom?: string | undefined
            issuedBefore?: string | undefined
            expiresFrom?: string | undefined
            expiresBefore?: string | undefined
          }
        | undefined
      devices?:
        | {
            states?:
              | readonly ('manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed')[]
              | undefined
            model?: string | undefined
            batch?: string | undefined
            owner?: string | undefined
            site?: string | undefined
            labels?: Readonly<Record<string, string>> | undefined
            profile?: string | undefined
            authority?: string | undefined
            keyAlgorithm?:
              | 'P-256'
              | 'P-384'
              | 'P-521'
              | 'Ed25519'
              | 'RSA-2048'
              | 'RSA-3072'
              | 'RSA-4096'
              | 'ML-DSA-44'
              | 'ML-DSA-65'
              | 'ML-DSA-87'
              | undefined
            firmware?: string | undefined
            expiresWithinSeconds?: number | undefined
            seenWithinSeconds?: number | undefined
            notSeenForSeconds?: number | undefined
          }
        | undefined
      ids?: readonly string[] | undefined
      reason:
        | 'unspecified'
        | 'keyCompromise'
        | 'cACompromise'
        | 'affiliationChanged'
        | 'superseded'
        | 'cessationOfOperation'
        | 'certificateHold'
        | 'privilegeWithdrawn'
      suspectSince?: string | undefined
      undoWithinSeconds?: number | undefined
      because?: string | undefined
      expectedCertificates?: number | undefined
      expectedDevices?: number | undefined
    }
    answer: { outcome: 'done' | 'waiting'; result: Job | null; approval: Approval | null }
  }
  revocationPublication: {
    params: Record<never, never>
    query: { authority?: string | undefined; limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly RevocationPublication[]; next: string | null }
  }
  releaseMany: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      certificates?:
        | {
            authority?: string | undefined
            profile?: string | undefined
            keyAlgorithm?:
              | 'P-256'
              | 'P-384'
              | 'P-521'
              | 'Ed25519'
              | 'RSA-2048'
              | 'RSA-3072'
              | 'RSA-4096'
              | 'ML-DSA-44'
              | 'ML-DSA-65'
              | 'ML-DSA-87'
              | undefined
            batch?: string | undefined
            issuedFrom?: string | undefined
            issuedBefore?: string | undefined
            expiresFrom?: string | undefined
            expiresBefore?: string | undefined
          }
        | undefined
      devices?:
        | {
            states?:
              | readonly ('manufactured' | 'shipped' | 'active' | 'suspended' | 'retired' | 'destroyed')[]
              | undefined
            model?: string | undefined
            batch?: string | undefined
            owner?: string | undefined
            site?: string | undefined
            labels?: Readonly<Record<string, string>> | undefined
            profile?: string | undefined
            authority?: string | undefined
            keyAlgorithm?:
              | 'P-256'
              | 'P-384'
              | 'P-521'
              | 'Ed25519'
              | 'RSA-2048'
              | 'RSA-3072'
              | 'RSA-4096'
              | 'ML-DSA-44'
              | 'ML-DSA-65'
              | 'ML-DSA-87'
              | undefined
            firmware?: string | undefined
            expiresWithinSeconds?: number | undefined
            seenWithinSeconds?: number | undefined
            notSeenForSeconds?: number | undefined
          }
        | undefined
      ids?: readonly string[] | undefined
      because?: string | undefined
      expectedCertificates: number
    }
    answer: { outcome: 'done' | 'waiting'; result: Job | null; approval: Approval | null }
  }
  undoRevocation: {
    params: { job: string }
    query: Record<never, never>
    body: { because?: string | undefined }
    answer: { outcome: 'done' | 'waiting'; result: Job | null; approval: Approval | null }
  }
  listAuditEntries: {
    params: Record<never, never>
    query: {
      action?: string | undefined
      actor?: string | undefined
      outcome?: 'done' | 'refused' | undefined
      before?: number | undefined
      limit?: number | undefined
      after?: string | undefined
    }
    body: undefined
    answer: { items: readonly AuditEntry[]; next: string | null }
  }
  showAuditEntry: {
    params: { index: string }
    query: Record<never, never>
    body: undefined
    answer: AuditEntry
  }
  proveAuditEntry: {
    params: { index: string }
    query: Record<never, never>
    body: undefined
    answer: InclusionProof
  }
  showCheckpoint: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: Checkpoint
  }
  showSession: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: Caller
  }
  signOut: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: undefined
  }
  showWaysToSignIn: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { oidc: { name: string } | null }
  }
  signInWithPassword: {
    params: Record<never, never>
    query: Record<never, never>
    body: { email: string; password: string; code: string }
    answer: Welcome
  }
  lookAtLink: {
    params: Record<never, never>
    query: Record<never, never>
    body: { secret: string }
    answer: { first: boolean; name: string }
  }
  signInWithLink: {
    params: Record<never, never>
    query: Record<never, never>
    body: { secret: string; name?: string | undefined; email?: string | undefined }
    answer: Welcome
  }
  passkeySignInOptions: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { challenge: string }
  }
  signInWithPasskey: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      answer: {
        id: string
        rawId: string
        type: 'public-key'
        response: {
          clientDataJSON: string
          authenticatorData: string
          signature: string
          userHandle?: string | null | undefined
        }
      }
    }
    answer: Welcome
  }
  showAccount: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: Operator
  }
  listOwnSessions: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Session[] }
  }
  endOtherSessions: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { ended: number }
  }
  endOwnSession: {
    params: { session: string }
    query: Record<never, never>
    body: undefined
    answer: undefined
  }
  listPasskeys: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Passkey[] }
  }
  registerPasskey: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      name: string
      answer: {
        id: string
        rawId: string
        type: 'public-key'
        response: { clientDataJSON: string; attestationObject: string; transports?: readonly string[] | undefined }
      }
    }
    answer: Passkey
  }
  passkeyRegistrationOptions: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { challenge: string }
  }
  removePasskey: {
    params: { passkey: string }
    query: Record<never, never>
    body: undefined
    answer: undefined
  }
  setPassword: {
    params: Record<never, never>
    query: Record<never, never>
    body: { password: string }
    answer: undefined
  }
  removePassword: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: undefined
  }
  offerTotp: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { uri: string; secret: string; ticket: string }
  }
  setTotp: {
    params: Record<never, never>
    query: Record<never, never>
    body: { ticket: string; code: string }
    answer: undefined
  }
  removeTotp: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: undefined
  }
  listOwnApiTokens: {
    params: Record<never, never>
    query: { limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly ApiToken[]; next: string | null }
  }
  listApiTokens: {
    params: Record<never, never>
    query: { operator?: string | undefined; limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly ApiToken[]; next: string | null }
  }
  createApiToken: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      name: string
      permissions: readonly (
        | 'device.read'
        | 'device.write'
        | 'device.end'
        | 'certificate.read'
        | 'certificate.revoke'
        | 'certificate.revoke_many'
        | 'enrolment.read'
        | 'enrolment.decide'
        | 'token.read'
        | 'token.write'
        | 'owner.read'
        | 'owner.write'
        | 'batch.read'
        | 'batch.run'
        | 'campaign.read'
        | 'campaign.write'
        | 'authority.read'
        | 'authority.write'
        | 'key.destroy'
        | 'trust.write'
        | 'profile.read'
        | 'profile.write'
        | 'rule.read'
        | 'rule.write'
        | 'approval.read'
        | 'audit.read'
        | 'operator.read'
        | 'operator.write'
        | 'role.write'
        | 'api_token.write'
        | 'settings.read'
        | 'settings.write'
        | 'alert.read'
        | 'alert.write'
        | 'statistics.read'
      )[]
      scope?:
        | { owner?: string | undefined; models?: readonly string[] | undefined; sites?: readonly string[] | undefined }
        | undefined
      lifetimeSeconds: number
    }
    answer: { token: ApiToken; secret: string }
  }
  revokeApiToken: {
    params: { token: string }
    query: Record<never, never>
    body: undefined
    answer: undefined
  }
  listOperators: {
    params: Record<never, never>
    query: { limit?: number | undefined; after?: string | undefined }
    body: undefined
    answer: { items: readonly Operator[]; next: string | null }
  }
  addOperator: {
    params: Record<never, never>
    query: Record<never, never>
    body: {
      name: string
      email: string
      roles?:
        | readonly {
            role: string
            scope?:
              | {
                  owner?: string | undefined
                  models?: readonly string[] | undefined
                  sites?: readonly string[] | undefined
                }
              | undefined
          }[]
        | undefined
    }
    answer: { operator: Operator; linkSecret: string; roles: GuardedOutcome | null }
  }
  showOperator: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Operator
  }
  removeOperator: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: undefined
  }
  setRoles: {
    params: { id: string }
    query: Record<never, never>
    body: {
      roles: readonly {
        role: string
        scope?:
          | {
              owner?: string | undefined
              models?: readonly string[] | undefined
              sites?: readonly string[] | undefined
            }
          | undefined
      }[]
    }
    answer: GuardedOutcome
  }
  createSignInLink: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: { linkSecret: string }
  }
  listSessions: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Session[] }
  }
  endSessions: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: { ended: number }
  }
  listPermissions: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: {
      items: readonly {
        name:
          | 'device.read'
          | 'device.write'
          | 'device.end'
          | 'certificate.read'
          | 'certificate.revoke'
          | 'certificate.revoke_many'
          | 'enrolment.read'
          | 'enrolment.decide'
          | 'token.read'
          | 'token.write'
          | 'owner.read'
          | 'owner.write'
          | 'batch.read'
          | 'batch.run'
          | 'campaign.read'
          | 'campaign.write'
          | 'authority.read'
          | 'authority.write'
          | 'key.destroy'
          | 'trust.write'
          | 'profile.read'
          | 'profile.write'
          | 'rule.read'
          | 'rule.write'
          | 'approval.read'
          | 'audit.read'
          | 'operator.read'
          | 'operator.write'
          | 'role.write'
          | 'api_token.write'
          | 'settings.read'
          | 'settings.write'
          | 'alert.read'
          | 'alert.write'
          | 'statistics.read'
        may: string
        reach: 'fleet' | 'instance'
      }[]
    }
  }
  listRoles: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: { items: readonly Role[] }
  }
  showRole: {
    params: { name: string }
    query: Record<never, never>
    body: undefined
    answer: Role
  }
  putRole: {
    params: { name: string }
    query: Record<never, never>
    body: {
      description?: string | undefined
      permissions: readonly (
        | 'device.read'
        | 'device.write'
        | 'device.end'
        | 'certificate.read'
        | 'certificate.revoke'
        | 'certificate.revoke_many'
        | 'enrolment.read'
        | 'enrolment.decide'
        | 'token.read'
        | 'token.write'
        | 'owner.read'
        | 'owner.write'
        | 'batch.read'
        | 'batch.run'
        | 'campaign.read'
        | 'campaign.write'
        | 'authority.read'
        | 'authority.write'
        | 'key.destroy'
        | 'trust.write'
        | 'profile.read'
        | 'profile.write'
        | 'rule.read'
        | 'rule.write'
        | 'approval.read'
        | 'audit.read'
        | 'operator.read'
        | 'operator.write'
        | 'role.write'
        | 'api_token.write'
        | 'settings.read'
        | 'settings.write'
        | 'alert.read'
        | 'alert.write'
        | 'statistics.read'
      )[]
      retired?: boolean | undefined
    }
    answer: GuardedOutcome
  }
  listApprovals: {
    params: Record<never, never>
    query: {
      state?: 'waiting' | 'executing' | 'executed' | 'failed' | 'rejected' | 'withdrawn' | 'expired' | undefined
      limit?: number | undefined
      after?: string | undefined
    }
    body: undefined
    answer: { items: readonly Approval[]; next: string | null }
  }
  showApproval: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Approval
  }
  approve: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: GuardedOutcome
  }
  reject: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Approval
  }
  withdraw: {
    params: { id: string }
    query: Record<never, never>
    body: undefined
    answer: Approval
  }
  showAccessSettings: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: AccessSettings
  }
  setAccessSettings: {
    params: Record<never, never>
    query: Record<never, never>
    body: AccessSettings
    answer: GuardedOutcome
  }
  showOpenApi: {
    params: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: string
  }
}

export const OPERATIONS = {
  showOverview: ['GET', '/statistics/overview'],
  showHorizon: ['GET', '/statistics/horizon'],
  showActivity: ['GET', '/statistics/activity'],
  listDevices: ['GET', '/devices'],
  showDevice: ['GET', '/devices/{id}'],
  showDeviceTimeline: ['GET', '/devices/{id}/timeline'],
  exportDevices: ['GET', '/devices/export'],
  shipDevice: ['POST', '/devices/{id}/ship'],
  suspendDevice: ['POST', '/devices/{id}/suspend'],
  resumeDevice: ['POST', '/devices/{id}/resume'],
  retireDevice: ['POST', '/devices/{id}/retire'],
  destroyDevice: ['POST', '/devices/{id}/destroy'],
  changeDeviceProperties: ['PATCH', '/devices/{id}/properties'],
  erasePersonalProperties: ['POST', '/devices/{id}/erase'],
  proposeTransfer: ['POST', '/devices/{id}/transfers'],
  showTransferStatement: ['GET', '/transfers/{id}/statement'],
  signTransfer: ['POST', '/transfers/{id}/signatures'],
  cancelTransfer: ['POST', '/transfers/{id}/cancel'],
  explainRenewal: ['GET', '/devices/{id}/renewal'],
  orderRenewal: ['POST', '/devices/{id}/renewal-orders'],
  withdrawRenewalOrder: ['DELETE', '/devices/{id}/renewal-orders/{profile}'],
  listCertificates: ['GET', '/certificates'],
  showCertificate: ['GET', '/certificates/{issuer}/{serialNumber}'],
  decode: ['POST', '/certificates/decode'],
  revokeCertificate: ['POST', '/certificates/{issuer}/{serialNumber}/revoke'],
  releaseCertificate: ['POST', '/certificates/{issuer}/{serialNumber}/release'],
  revokeDevice: ['POST', '/devices/{id}/revoke'],
  reachVerdict: ['POST', '/verdict'],
  listEnrolments: ['GET', '/enrolments'],
  showEnrolment: ['GET', '/enrolments/{digest}'],
  approveEnrolment: ['POST', '/enrolments/{digest}/approve'],
  rejectEnrolment: ['POST', '/enrolments/{digest}/reject'],
  listTokens: ['GET', '/tokens'],
  createToken: ['POST', '/tokens'],
  cancelToken: ['POST', '/tokens/{id}/cancel'],
  listAuthorities: ['GET', '/authorities'],
  createAuthority: ['POST', '/authorities'],
  showAuthority: ['GET', '/authorities/{id}'],
  showAuthorityRequest: ['GET', '/authorities/{id}/request'],
  importAuthorityCertificate: ['POST', '/authorities/{id}/certificate'],
  retireAuthority: ['POST', '/authorities/{id}/retire'],
  revokeAuthority: ['POST', '/authorities/{id}/revoke'],
  destroyAuthorityKey: ['POST', '/authorities/{id}/destroy-key'],
  showTrustBundle: ['GET', '/trust-bundle'],
  listProfiles: ['GET', '/profiles'],
  showProfile: ['GET', '/profiles/{name}'],
  putProfile: ['PUT', '/profiles/{name}'],
  sampleProfile: ['POST', '/profiles/sample'],
  showRules: ['GET', '/rules'],
  putRules: ['PUT', '/rules'],
  explainRules: ['POST', '/rules/explain'],
  listGroups: ['GET', '/groups'],
  showGroup: ['GET', '/groups/{name}'],
  putGroup: ['PUT', '/groups/{name}'],
  listOwners: ['GET', '/owners'],
  showOwner: ['GET', '/owners/{name}'],
  putOwner: ['PUT', '/owners/{name}'],
  listTrustAnchors: ['GET', '/trust-anchors'],
  showTrustAnchors: ['GET', '/trust-anchors/{name}'],
  putTrustAnchors: ['PUT', '/trust-anchors/{name}'],
  forgetTrustAnchors: ['DELETE', '/trust-anchors/{name}'],
  showSettings: ['GET', '/settings'],
  putSettings: ['PUT', '/settings'],
  listStuckDevices: ['GET', '/renewal/stuck'],
  listEndingCredentials: ['GET', '/renewal/ending'],
  listCampaigns: ['GET', '/campaigns'],
  createCampaign: ['POST', '/campaigns'],
  showCampaign: ['GET', '/campaigns/{name}'],
  listCampaignDevices: ['GET', '/campaigns/{name}/devices'],
  previewDevices: ['POST', '/campaigns/preview'],
  startCampaign: ['POST', '/campaigns/{name}/start'],
  pauseCampaign: ['POST', '/campaigns/{name}/pause'],
  resumeCampaign: ['POST', '/campaigns/{name}/resume'],
  cancelCampaign: ['POST', '/campaigns/{name}/cancel'],
  rollBackCampaign: ['POST', '/campaigns/{name}/roll-back'],
  showPlaybook: ['POST', '/campaigns/playbook'],
  listBatches: ['GET', '/batches'],
  runBatch: ['POST', '/batches'],
  showBatch: ['GET', '/batches/{id}'],
  uploadBatch: ['POST', '/batches/uploads'],
  tryBatch: ['POST', '/batches/trials'],
  downloadBatchFile: ['GET', '/jobs/{id}/files/{file}'],
  listAlerts: ['GET', '/alerts'],
  showAlert: ['GET', '/alerts/{id}'],
  acknowledgeAlert: ['POST', '/alerts/{id}/acknowledge'],
  silenceAlert: ['POST', '/alerts/{id}/silence'],
  showAlertRules: ['GET', '/alert-rules'],
  putAlertRules: ['PUT', '/alert-rules'],
  testAlertChannel: ['POST', '/alert-channels/{name}/test'],
  listUndeliveredNotices: ['GET', '/undelivered-notices'],
  redeliverNotice: ['POST', '/undelivered-notices/{id}/redeliver'],
  discardNotice: ['DELETE', '/undelivered-notices/{id}'],
  listen: ['GET', '/events'],
  actOnDevices: ['POST', '/devices/actions'],
  listJobs: ['GET', '/jobs'],
  showJob: ['GET', '/jobs/{id}'],
  cancelJob: ['POST', '/jobs/{id}/cancel'],
  previewRevocation: ['POST', '/revocations/preview'],
  revokeMany: ['POST', '/revocations'],
  revocationPublication: ['GET', '/revocations/publication'],
  releaseMany: ['POST', '/revocations/release'],
  undoRevocation: ['POST', '/revocations/{job}/undo'],
  listAuditEntries: ['GET', '/audit/entries'],
  showAuditEntry: ['GET', '/audit/entries/{index}'],
  proveAuditEntry: ['GET', '/audit/entries/{index}/proof'],
  showCheckpoint: ['GET', '/audit/checkpoint'],
  showSession: ['GET', '/session'],
  signOut: ['DELETE', '/session'],
  showWaysToSignIn: ['GET', '/session/ways'],
  signInWithPassword: ['POST', '/session/password'],
  lookAtLink: ['POST', '/session/link/look'],
  signInWithLink: ['POST', '/session/link'],
  passkeySignInOptions: ['POST', '/session/passkey/options'],
  signInWithPasskey: ['POST', '/session/passkey'],
  showAccount: ['GET', '/account'],
  listOwnSessions: ['GET', '/account/sessions'],
  endOtherSessions: ['DELETE', '/account/sessions'],
  endOwnSession: ['DELETE', '/account/sessions/{session}'],
  listPasskeys: ['GET', '/account/passkeys'],
  registerPasskey: ['POST', '/account/passkeys'],
  passkeyRegistrationOptions: ['POST', '/account/passkeys/options'],
  removePasskey: ['DELETE', '/account/passkeys/{passkey}'],
  setPassword: ['PUT', '/account/password'],
  removePassword: ['DELETE', '/account/password'],
  offerTotp: ['POST', '/account/totp/offer'],
  setTotp: ['PUT', '/account/totp'],
  removeTotp: ['DELETE', '/account/totp'],
  listOwnApiTokens: ['GET', '/account/api-tokens'],
  listApiTokens: ['GET', '/api-tokens'],
  createApiToken: ['POST', '/api-tokens'],
  revokeApiToken: ['DELETE', '/api-tokens/{token}'],
  listOperators: ['GET', '/operators'],
  addOperator: ['POST', '/operators'],
  showOperator: ['GET', '/operators/{id}'],
  removeOperator: ['DELETE', '/operators/{id}'],
  setRoles: ['PUT', '/operators/{id}/roles'],
  createSignInLink: ['POST', '/operators/{id}/link'],
  listSessions: ['GET', '/operators/{id}/sessions'],
  endSessions: ['DELETE', '/operators/{id}/sessions'],
  listPermissions: ['GET', '/permissions'],
  listRoles: ['GET', '/roles'],
  showRole: ['GET', '/roles/{name}'],
  putRole: ['PUT', '/roles/{name}'],
  listApprovals: ['GET', '/approvals'],
  showApproval: ['GET', '/approvals/{id}'],
  approve: ['POST', '/approvals/{id}/approve'],
  reject: ['POST', '/approvals/{id}/reject'],
  withdraw: ['POST', '/approvals/{id}/withdraw'],
  showAccessSettings: ['GET', '/access/settings'],
  setAccessSettings: ['PUT', '/access/settings'],
  showOpenApi: ['GET', '/openapi.json'],
} as const satisfies Record<keyof Operations, readonly [string, string]>
