// The catalogue of what the audit log records. An action is stable for life: entries that name it cannot be changed.
// `subject` and `detail` list what an entry must carry when the act was done; a refusal carries what was known by then.

export interface AuditActionRow {
  /** One sentence in present tense, for people who read the log. */
  readonly meaning: string
  readonly subject: readonly SubjectField[]
  readonly detail?: readonly string[]
}

/** Fields of `subject` that the catalogue asks for. Entries may carry others. */
export type SubjectField =
  /** Short name of an authority (`idevid-1`). */
  | 'authorityId'
  /** Hex serial number of a certificate, unique within its authority. */
  | 'serialNumber'
  /** SHA-256 over the certificate's DER, 64 hex digits. */
  | 'certificateSha256'
  | 'deviceId'
  /** SHA-256 over the SubjectPublicKeyInfo, 64 hex digits. */
  | 'keyId'
  | 'batchId'
  | 'tokenId'
  /** SHA-256 over what makes an enrolment request itself, 64 hex digits. */
  | 'requestDigest'
  /** An act that waits for a second person. */
  | 'approvalId'
  /** Name of a profile, a rule set, a trust anchor, a publication, a role; opaque id of an operator. */
  | 'name'
  /** URI of a key in a key store. */
  | 'keyUri'

export const AUDIT_ACTIONS = {
  'authority.created': { meaning: 'An authority is created, with its key.', subject: ['authorityId', 'keyId'] },
  'authority.certificate_imported': {
    meaning: 'The certificate of an authority, signed elsewhere, is taken in.',
    subject: ['authorityId', 'certificateSha256'],
  },
  'authority.retired': {
    meaning: 'An authority issues no more; it still answers for what it issued.',
    subject: ['authorityId'],
  },

  'certificate.issued': {
    meaning: 'An authority signs a certificate. The entry commits to its bytes.',
    subject: ['authorityId', 'serialNumber', 'certificateSha256'],
  },
  'certificate.revoked': {
    meaning: 'A certificate is revoked for good.',
    subject: ['authorityId', 'serialNumber'],
    detail: ['reason'],
  },
  'certificate.held': {
    meaning: 'A certificate is put on hold and may be released.',
    subject: ['authorityId', 'serialNumber'],
  },
  'certificate.released': { meaning: 'A certificate on hold is good again.', subject: ['authorityId', 'serialNumber'] },

  'device.registered': { meaning: 'A device enters the registry.', subject: ['deviceId'] },
  'device.state_changed': {
    meaning: 'A device moves from one state to another.',
    subject: ['deviceId'],
    detail: ['from', 'to'],
  },
  'device.erased': {
    meaning: 'What could be personal about a device is erased; the entries about it stay.',
    subject: ['deviceId'],
  },
  'key.registered': { meaning: 'A public key is recorded for a device.', subject: ['deviceId', 'keyId'] },
  'key.state_changed': {
    meaning: 'A key moves from one state to another.',
    subject: ['keyId'],
    detail: ['from', 'to'],
  },
  'key.ended': {
    meaning: 'A key counts as beyond use: a signed or witnessed statement says why.',
    subject: ['deviceId', 'keyId'],
    detail: ['statementSha256'],
  },
  'key.holding_declared': {
    meaning: 'A device says how it holds a key: in what, and how protected.',
    subject: ['deviceId', 'keyId'],
    detail: ['place', 'protection'],
  },
  'device.property_changed': {
    meaning:
      'What is said of a device changes. The entry commits to the new value, with a salt where it could tell of a person.',
    subject: ['deviceId', 'name'],
  },
  'device.clone_suspected': {
    meaning: 'Two holders act as the same device.',
    subject: ['deviceId'],
    detail: ['sign'],
  },
  'device.destruction_certified': {
    meaning: 'The platform attests that a device was destroyed and its credentials ended.',
    subject: ['deviceId'],
    detail: ['certificateOfDestructionSha256'],
  },
  'ownership.proposed': {
    meaning: 'A transfer of a device to another owner is proposed.',
    subject: ['deviceId', 'name'],
  },
  'ownership.signed': {
    meaning: 'One side signs the statement of a transfer.',
    subject: ['deviceId', 'name'],
    detail: ['party', 'statementSha256'],
  },
  'ownership.accepted': { meaning: 'Both sides, or a rule, agree to a transfer.', subject: ['deviceId', 'name'] },
  'ownership.transferred': { meaning: 'A device has another owner.', subject: ['deviceId', 'name'] },
  'ownership.cancelled': { meaning: 'A transfer is called off before it takes effect.', subject: ['deviceId', 'name'] },

  'renewal.ordered': {
    meaning: 'A device is asked to renew before its time.',
    subject: ['deviceId'],
    detail: ['profile', 'reason'],
  },
  'renewal.order_ended': {
    meaning: 'An order to renew is fulfilled or withdrawn.',
    subject: ['deviceId'],
    detail: ['profile', 'outcome'],
  },

  'job.started': {
    meaning: 'An act on many things is asked for, and begins. The entry commits to all of it.',
    subject: ['name'],
    detail: ['act', 'parametersSha256'],
  },
  'job.ended': {
    meaning: 'An act on many things ends: each has entries of its own.',
    subject: ['name'],
    detail: ['act', 'state', 'done', 'changed', 'failed'],
  },

  'campaign.planned': {
    meaning: 'A campaign is written down, with its devices.',
    subject: ['name'],
    detail: ['devices'],
  },
  'campaign.state_changed': {
    meaning: 'A campaign starts, pauses, goes on, ends, or is rolled back.',
    subject: ['name'],
    detail: ['from', 'to'],
  },

  'campaign.device_settled': {
    meaning: 'A campaign expects nothing more of a device that did not follow: it failed or was passed over.',
    subject: ['deviceId'],
    detail: ['campaign', 'state', 'reason'],
  },

  'enrolment.refused': { meaning: 'A request for a certificate is refused.', subject: [] },
  'enrolment.pending': { meaning: 'A request for a certificate waits for an operator.', subject: ['requestDigest'] },
  'enrolment.approved': { meaning: 'An operator approves a waiting request.', subject: ['requestDigest'] },
  'enrolment.rejected': { meaning: 'An operator rejects a waiting request.', subject: ['requestDigest'] },

  'token.created': { meaning: 'A one-time token is made for a device.', subject: ['tokenId', 'deviceId'] },
  'token.used': { meaning: 'A one-time token is spent.', subject: ['tokenId', 'deviceId'] },
  'token.cancelled': { meaning: 'A one-time token is withdrawn before use.', subject: ['tokenId', 'deviceId'] },

  'batch.started': { meaning: 'A factory batch begins.', subject: ['batchId'] },
  'batch.resumed': { meaning: 'An interrupted factory batch goes on.', subject: ['batchId'] },
  'batch.finished': { meaning: 'Every unit of a factory batch is issued or rejected.', subject: ['batchId'] },
  'batch.unit_rejected': {
    meaning: 'One unit of a factory batch is rejected.',
    subject: ['batchId'],
    detail: ['line'],
  },

  'crl.published': {
    meaning: 'A certificate revocation list is signed and put out.',
    subject: ['authorityId'],
    detail: ['number'],
  },
  'status.published': {
    meaning: 'A status artefact is signed and put out.',
    subject: ['authorityId'],
    detail: ['number'],
  },
  'status.signer_renewed': {
    meaning: 'The signer of status artefacts gets a new delegated certificate.',
    subject: ['authorityId', 'serialNumber'],
  },
  'ocsp.signer_renewed': {
    meaning: 'An OCSP responder gets a new delegated certificate.',
    subject: ['authorityId', 'serialNumber'],
  },

  'profile.changed': { meaning: 'A certificate profile gets a new version.', subject: ['name'], detail: ['version'] },
  'rule.changed': { meaning: 'The registration rules get a new version.', subject: ['name'], detail: ['version'] },
  'group.changed': { meaning: 'A saved group of devices gets a new version.', subject: ['name'], detail: ['version'] },
  'owner.changed': { meaning: 'What is known of an owner gets a new version.', subject: ['name'], detail: ['version'] },
  'setting.changed': { meaning: 'A setting gets a new version.', subject: ['name'], detail: ['version'] },
  'alert.rules_changed': { meaning: 'The rules of alerts get a new version.', subject: ['name'], detail: ['version'] },
  'alert.acknowledged': { meaning: 'Somebody has an alert in hand.', subject: ['name'], detail: ['alert'] },
  'alert.silenced': {
    meaning: 'An alert is silenced until a time, or may be heard again.',
    subject: ['name'],
    detail: ['alert', 'until'],
  },
  'alert.notice_redelivered': {
    meaning: 'A notice that could not be delivered is tried again.',
    subject: ['name'],
    detail: ['notice'],
  },
  'alert.notice_discarded': {
    meaning: 'A notice that could not be delivered is thrown away.',
    subject: ['name'],
    detail: ['notice'],
  },
  'trust.anchor_added': {
    meaning: 'A certificate becomes a trust anchor for devices.',
    subject: ['certificateSha256'],
  },
  'trust.bundle_published': {
    meaning: 'The roots that devices trust are signed and put out, in a new version or by a new signer.',
    subject: ['authorityId', 'serialNumber'],
    detail: ['version', 'number', 'roots', 'bundleSha256'],
  },
  'trust.anchor_removed': { meaning: 'A certificate is no longer a trust anchor.', subject: ['certificateSha256'] },

  'operator.added': { meaning: 'An operator is admitted.', subject: ['name'] },
  'operator.removed': { meaning: 'An operator is no longer admitted.', subject: ['name'] },
  'operator.changed': {
    meaning: 'An operator gets other roles. The entry commits to them.',
    subject: ['name'],
    detail: ['rolesSha256'],
  },
  'operator.credential_changed': {
    meaning: 'A means to sign in is set up, replaced or taken away.',
    subject: ['name'],
    detail: ['credential', 'change'],
  },
  'role.changed': { meaning: 'A role gets a new version.', subject: ['name'], detail: ['version'] },
  'session.started': { meaning: 'An operator signs in.', subject: ['name'], detail: ['method', 'secretSha256'] },
  'session.ended': { meaning: 'A session is ended before its time.', subject: ['name'] },
  'api_token.created': {
    meaning: 'An API token is made, in the name of an operator.',
    subject: ['tokenId', 'name'],
    detail: ['expiresAt', 'tokenSha256'],
  },
  'api_token.revoked': { meaning: 'An API token is revoked.', subject: ['tokenId', 'name'] },
  'approval.requested': {
    meaning: 'An operator asks for an act that others must approve. The entry commits to all of it.',
    subject: ['approvalId'],
    detail: ['act', 'approvalSha256', 'quorum'],
  },
  'approval.given': {
    meaning: 'A second operator approves an act.',
    subject: ['approvalId'],
    detail: ['act', 'state'],
  },
  'approval.ended': {
    meaning: 'An act that waited for approval was carried out, failed, was rejected or withdrawn, or its time ran out.',
    subject: ['approvalId'],
    detail: ['act', 'state'],
  },
  'operator.refused': {
    meaning: 'A command of an operator would change data, and a rule refuses it.',
    subject: [],
    detail: ['command'],
  },
  'access.refused': { meaning: 'Somebody asks for what they may not do.', subject: [] },

  'keystore.created': { meaning: 'A key store is created.', subject: [] },
  'keystore.unlocked': { meaning: 'A key store is opened with its passphrase.', subject: [] },
  'keystore.unlock_refused': { meaning: 'A key store is asked to open and refuses.', subject: [] },
  'keystore.passphrase_changed': { meaning: 'A key store gets a new passphrase.', subject: [] },
  'keystore.key_generated': { meaning: 'A key store makes a key.', subject: ['keyUri', 'keyId'] },
  'keystore.key_destroyed': { meaning: 'A key store destroys a key for good.', subject: ['keyUri', 'keyId'] },

  'audit.checkpoint_signed': { meaning: 'The log signs its size and root hash.', subject: [], detail: ['size'] },
  'audit.verified': { meaning: 'The store is checked against the log.', subject: [], detail: ['size', 'findings'] },

  'server.started': { meaning: 'A server process begins to serve.', subject: [] },
  'server.stopped': { meaning: 'A server process ends in good order.', subject: [] },
} as const satisfies Record<string, AuditActionRow>

export type AuditAction = keyof typeof AUDIT_ACTIONS

/** The row of an action, or `undefined` where this version does not know it. */
export function auditActionRow(action: string): AuditActionRow | undefined {
  return Object.hasOwn(AUDIT_ACTIONS, action) ? AUDIT_ACTIONS[action as AuditAction] : undefined
}
