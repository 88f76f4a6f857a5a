// Object identifiers of X.509, PKCS#9 and PKCS#10 as RFC 5280, RFC 2985, RFC 4108, RFC 4043, RFC 6960 and RFC 9336 assign them.
// Algorithm identifiers live in the algorithm table of crypto/, attribute types of names in `name.ts`.

export const OID = {
  // Certificate and CRL extensions (RFC 5280 §4.2, §5.2, §5.3): id-ce
  subjectDirectoryAttributes: '2.5.29.9',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  issuerAltName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  cRLNumber: '2.5.29.20',
  cRLReasons: '2.5.29.21',
  invalidityDate: '2.5.29.24',
  deltaCRLIndicator: '2.5.29.27',
  issuingDistributionPoint: '2.5.29.28',
  certificateIssuer: '2.5.29.29',
  nameConstraints: '2.5.29.30',
  cRLDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  anyPolicy: '2.5.29.32.0',
  policyMappings: '2.5.29.33',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extKeyUsage: '2.5.29.37',
  anyExtendedKeyUsage: '2.5.29.37.0',
  freshestCRL: '2.5.29.46',
  inhibitAnyPolicy: '2.5.29.54',

  // Private extensions (RFC 5280 §4.2.2): id-pe
  authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
  subjectInfoAccess: '1.3.6.1.5.5.7.1.11',

  // Policy qualifiers (RFC 5280 §4.2.1.4): id-qt
  cps: '1.3.6.1.5.5.7.2.1',
  userNotice: '1.3.6.1.5.5.7.2.2',

  // Extended key usages (RFC 5280 §4.2.1.12, RFC 7030 §3.6.1, RFC 9483 §1, RFC 9336): id-kp
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
  cmcCA: '1.3.6.1.5.5.7.3.27',
  cmcRA: '1.3.6.1.5.5.7.3.28',
  cmKGA: '1.3.6.1.5.5.7.3.32',
  documentSigning: '1.3.6.1.5.5.7.3.36',

  // Access methods (RFC 5280 §4.2.2.1, §4.2.2.2): id-ad
  ocsp: '1.3.6.1.5.5.7.48.1',
  ocspBasic: '1.3.6.1.5.5.7.48.1.1',
  ocspNonce: '1.3.6.1.5.5.7.48.1.2',
  ocspNoCheck: '1.3.6.1.5.5.7.48.1.5',
  caIssuers: '1.3.6.1.5.5.7.48.2',
  timeStampingAccess: '1.3.6.1.5.5.7.48.3',
  caRepository: '1.3.6.1.5.5.7.48.5',

  // Other names (RFC 4043, RFC 4108): id-on
  permanentIdentifier: '1.3.6.1.5.5.7.8.3',
  hardwareModuleName: '1.3.6.1.5.5.7.8.4',

  // PKCS#9 attributes of requests (RFC 2985 §5.4, RFC 7030 §4.4.1)
  challengePassword: '1.2.840.113549.1.9.7',
  extensionRequest: '1.2.840.113549.1.9.14',
  smimeCapabilities: '1.2.840.113549.1.9.15',
  decryptKeyID: '1.2.840.113549.1.9.16.2.37',
  asymmDecryptKeyID: '1.2.840.113549.1.9.16.2.54',
} as const
