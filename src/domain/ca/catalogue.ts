// The profiles that every instance starts with (docs/profiles.md explains each). They are ordinary profiles: an operator copies one,
// changes it and installs it as the next version. Nothing in the code refers to a profile by its name except where it makes its own keys.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { ProfileConfig } from './profile-config.ts'

const EVERY_ALGORITHM: readonly KeyAlgorithmName[] = [
  'P-256',
  'P-384',
  'P-521',
  'Ed25519',
  'RSA-2048',
  'RSA-3072',
  'RSA-4096',
  'ML-DSA-44',
  'ML-DSA-65',
  'ML-DSA-87',
]

/** RSA-2048 ends with 2030 in most rules: not for new keys that sign for others. */
const STRONG_ALGORITHMS = EVERY_ALGORITHM.filter(name => name !== 'RSA-2048')

const STATUS = { crlDistributionPoint: true, authorityInformationAccess: { caIssuers: true, ocsp: true } } as const

/** A device that was switched off over the end of its certificate finds its way back for a month. */
const FIELD_RENEWAL = { graceAfterExpirySeconds: 30 * 86_400 } as const

/** IEEE 802.1AR-2018 clause 8, RFC 4108 §5. */
const idevid: ProfileConfig = {
  schema: 1,
  name: 'idevid',
  version: 1,
  description:
    'Initial device identity: the birth certificate that the maker gives, for the whole life of the device (IEEE 802.1AR).',
  authority: 'idevid',
  holder: 'device',
  validity: { noExpiry: true },
  subject: [{ O: '{settings.organization}' }, { serialNumber: '{device.serialNumber}' }],
  subjectAltName: {
    names: [{ kind: 'hardwareModuleName', hwType: '{settings.hardwareType}', hwSerialNum: '{device.serialNumber}' }],
    required: true,
  },
  keyAlgorithms: [...EVERY_ALGORITHM],
  subjectKeyIdentifier: 'absent',
  keyUsage: ['digitalSignature'],
  ...STATUS,
}

/** IEEE 802.1AR-2018 clause 8: the subject of an LDevID names the device as its IDevID does. */
const ldevid: ProfileConfig = {
  schema: 1,
  name: 'ldevid',
  version: 1,
  description: 'Local device identity: the working credential that a device gets for its IDevID and renews by itself.',
  authority: 'ldevid',
  holder: 'device',
  validity: { days: 90, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { serialNumber: '{device.serialNumber}' }],
  subjectAltName: {
    names: [{ kind: 'hardwareModuleName', hwType: '{settings.hardwareType}', hwSerialNum: '{device.serialNumber}' }],
    required: true,
  },
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['clientAuth'] },
  renewal: FIELD_RENEWAL,
  ...STATUS,
}

/** A device that serves TLS to its neighbours: the names come from the registry, never from the device. */
const gatewayTlsServer: ProfileConfig = {
  schema: 1,
  name: 'gateway-tls-server',
  version: 1,
  description:
    'TLS server and client certificate of a gateway. Its DNS names and addresses are the labels dnsNames and ipAddresses of the device.',
  authority: 'ldevid',
  holder: 'device',
  validity: { days: 90, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { serialNumber: '{device.serialNumber}' }],
  subjectAltName: {
    names: [
      { kind: 'dNSName', value: '{device.labels.dnsNames}', optional: true, list: true },
      { kind: 'iPAddress', value: '{device.labels.ipAddresses}', optional: true, list: true },
    ],
    required: true,
  },
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['serverAuth', 'clientAuth'] },
  renewal: FIELD_RENEWAL,
  ...STATUS,
}

const operatorClient: ProfileConfig = {
  schema: 1,
  name: 'operator-client',
  version: 1,
  description:
    'TLS client certificate of a person or program that operates this platform. commonName is an account name, not a personal one.',
  authority: 'services',
  holder: 'platform',
  validity: { days: 365, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { OU: 'Operators' }, { CN: '{fields.commonName}' }],
  subjectAltName: { names: [{ kind: 'rfc822Name', value: '{fields.email}', optional: true }] },
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['clientAuth'] },
  ...STATUS,
}

/** RFC 6960 §4.2.2.2: issued by the very CA whose status it answers for. */
const ocspSigner: ProfileConfig = {
  schema: 1,
  name: 'ocsp-signer',
  version: 1,
  description:
    'Delegated OCSP responder of one authority. Short-lived instead of revocable: its own status is not asked.',
  authority: '*',
  holder: 'platform',
  validity: { days: 14, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { CN: '{fields.commonName}' }],
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['OCSPSigning'] },
  authorityInformationAccess: { caIssuers: true },
  ocspNoCheck: true,
}

const codeSigning: ProfileConfig = {
  schema: 1,
  name: 'code-signing',
  version: 1,
  description: 'Signs firmware and software releases.',
  authority: 'services',
  holder: 'platform',
  validity: { days: 1095, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { CN: '{fields.commonName}' }],
  keyAlgorithms: [...STRONG_ALGORITHMS],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['codeSigning'] },
  ...STATUS,
}

/** RFC 3161 §2.3: one purpose, and critical. */
const timeStamping: ProfileConfig = {
  schema: 1,
  name: 'time-stamping',
  version: 1,
  description: 'Time-stamping unit (RFC 3161). Outlives the signatures that it stamps.',
  authority: 'services',
  holder: 'platform',
  validity: { days: 3650, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { CN: '{fields.commonName}' }],
  keyAlgorithms: [...STRONG_ALGORITHMS],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['timeStamping'], critical: true },
  ...STATUS,
}

const serverTls: ProfileConfig = {
  schema: 1,
  name: 'server-tls',
  version: 1,
  description: 'TLS server certificate of this platform itself.',
  authority: 'services',
  holder: 'platform',
  validity: { days: 90, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { CN: '{fields.commonName}' }],
  subjectAltName: {
    names: [
      { kind: 'dNSName', value: '{fields.dnsNames}', optional: true, list: true },
      { kind: 'iPAddress', value: '{fields.ipAddresses}', optional: true, list: true },
    ],
    required: true,
  },
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['serverAuth'] },
  ...STATUS,
}

/** Signs what the factory station hands over: manifests and receipts (CMS SignedData). */
const factoryStation: ProfileConfig = {
  schema: 1,
  name: 'factory-station',
  version: 1,
  description: 'A factory station: signs the manifests of its batches.',
  authority: 'services',
  holder: 'platform',
  validity: { days: 365, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { OU: 'Factory' }, { CN: '{fields.commonName}' }],
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['documentSigning'] },
  ...STATUS,
}

/** Signs what outsiders are given to check: certificates of destruction (CMS SignedData). */
const recordSigner: ProfileConfig = {
  schema: 1,
  name: 'record-signer',
  version: 1,
  description: 'Signs records that outsiders check without us: certificates of destruction.',
  authority: 'services',
  holder: 'platform',
  validity: { days: 1095, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { OU: 'Records' }, { CN: '{fields.commonName}' }],
  keyAlgorithms: [...STRONG_ALGORITHMS],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['documentSigning'] },
  ...STATUS,
}

/** Its purpose is an arc of ours, so that nothing else that we issue can sign a trust bundle (docs/reference/device-api.md). */
const trustBundleSigner: ProfileConfig = {
  schema: 1,
  name: 'trust-bundle-signer',
  version: 1,
  description:
    'Signs the trust bundle that devices follow. The authority is chosen so that devices trust its root already.',
  authority: '*',
  holder: 'platform',
  validity: { days: 90, backdateSeconds: 300 },
  subject: [{ O: '{settings.organization}' }, { CN: '{fields.commonName}' }],
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['digitalSignature'],
  extendedKeyUsage: { purposes: ['trustBundleSigning'] },
  ...STATUS,
}

/** The base of the profile of every root: RFC 5280 §3.2, §4.2.1.9. */
const root: ProfileConfig = {
  schema: 1,
  name: 'root',
  version: 1,
  description:
    'Self-signed root authority. Its end is no well-defined one, because identities without an end hang on it.',
  authority: '*',
  holder: 'authority',
  validity: { noExpiry: true, backdateSeconds: 3600 },
  subject: [{ O: '{settings.organization}' }, { CN: '{fields.commonName}' }],
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['keyCertSign', 'cRLSign'],
  basicConstraints: { cA: true },
}

/** The base of the profile of every subordinate authority: path length, constraints and policies are filled in for each. */
const subCa: ProfileConfig = {
  schema: 1,
  name: 'sub-ca',
  version: 1,
  description: 'Subordinate authority, intermediate or issuing. Creating one derives a profile of its own from this.',
  authority: '*',
  holder: 'authority',
  validity: { days: 5475, backdateSeconds: 3600 },
  subject: [{ O: '{settings.organization}' }, { CN: '{fields.commonName}' }],
  keyAlgorithms: [...EVERY_ALGORITHM],
  keyUsage: ['keyCertSign', 'cRLSign'],
  basicConstraints: { cA: true, pathLenConstraint: 0 },
  crlDistributionPoint: true,
  authorityInformationAccess: { caIssuers: true },
}

/** Matter core specification, Device Attestation Certificate, as far as public sources tell; the attribute types are CSA's. */
const matterDac: ProfileConfig = {
  schema: 1,
  name: 'matter-dac',
  version: 1,
  description:
    'Matter device attestation certificate. Vendor and product id are the labels matterVendorId and matterProductId, four capital hex digits each.',
  authority: 'matter-pai',
  holder: 'device',
  validity: { noExpiry: true },
  subject: [
    { CN: '{device.serialNumber}' },
    { '1.3.6.1.4.1.37244.2.1': '{device.labels.matterVendorId}' },
    { '1.3.6.1.4.1.37244.2.2': '{device.labels.matterProductId}' },
  ],
  keyAlgorithms: ['P-256'],
  signatureAlgorithm: 'ecdsa-with-SHA256',
  subjectKeyIdentifier: 'sha1',
  keyUsage: ['digitalSignature'],
  basicConstraints: { cA: false, critical: true },
}

export const profileCatalogue: readonly ProfileConfig[] = [
  idevid,
  ldevid,
  gatewayTlsServer,
  operatorClient,
  ocspSigner,
  codeSigning,
  timeStamping,
  serverTls,
  factoryStation,
  recordSigner,
  trustBundleSigner,
  root,
  subCa,
  matterDac,
]

/** A profile of the catalogue by its name. */
export function catalogueProfile(name: string): ProfileConfig | undefined {
  return profileCatalogue.find(profile => profile.name === name)
}
