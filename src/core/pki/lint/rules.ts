// Every rule that lint knows: a stable code, the sentence for the operator, and where the rule stands. MUSTs only: what an RFC
// merely recommends is the profile's business. A check names its rule; it adds what it saw.

/** Stable codes of findings. Add rows; never reuse one. */
export const LINT_RULES = {
  // The frame (RFC 5280 §4.1)
  'lint.malformed': ['The certificate is not well-formed DER.', 'RFC 5280 4.1'],
  'lint.version_not_3': ['The version is not 3.', 'RFC 5280 4.1.2.1'],
  'lint.default_encoded': ['A value that is the DEFAULT is encoded.', 'X.690 11.5'],
  'lint.serial_not_positive': ['The serial number is not positive.', 'RFC 5280 4.1.2.2'],
  'lint.serial_too_long': ['The serial number has more than 20 octets.', 'RFC 5280 4.1.2.2'],
  'lint.validity_order': ['notAfter lies before notBefore.', 'RFC 5280 4.1.2.5'],
  'lint.validity_time_form': ['A date through 2049 must be UTCTime, a later one GeneralizedTime.', 'RFC 5280 4.1.2.5'],
  'lint.unique_identifier': ['Conforming CAs must not write unique identifiers.', 'RFC 5280 4.1.2.8'],
  'lint.extension_duplicate': ['An extension stands twice.', 'RFC 5280 4.2'],
  'lint.extension_malformed': ['The value of an extension is not what its syntax wants.', 'RFC 5280 4.2'],
  'lint.extension_must_be_critical': ['An extension that must be critical is not.', 'RFC 5280 4.2.1'],
  'lint.extension_must_not_be_critical': ['An extension that must not be critical is.', 'RFC 5280 4.2.1'],
  'lint.extension_only_in_ca': ['An extension for CAs stands in an end entity certificate.', 'RFC 5280 4.2.1'],
  'lint.named_bits_not_minimal': ['A named bit list ends in zero bits.', 'X.690 11.2.2'],

  // Names (RFC 5280 §4.1.2.4, §4.1.2.6, Appendix A.1)
  'lint.issuer_empty': ['The issuer is an empty name.', 'RFC 5280 4.1.2.4'],
  'lint.issuer_mismatch': ['The issuer is not, octet for octet, the subject of the CA that signs.', 'RFC 5280 4.1.2.6'],
  'lint.subject_empty_ca': ['The subject of a CA is an empty name.', 'RFC 5280 4.1.2.6'],
  'lint.subject_empty_without_san': ['An empty subject needs a critical subjectAltName.', 'RFC 5280 4.1.2.6'],
  'lint.name_value_empty': ['An attribute of a name is empty.', 'RFC 5280 A.1'],
  'lint.name_value_too_long': ['An attribute of a name is longer than its upper bound.', 'RFC 5280 A.1'],
  'lint.name_string_type': ['An attribute of a name has the wrong string type.', 'RFC 5280 4.1.2.4'],
  'lint.name_string_alphabet': ['A PrintableString has a character that is not in its alphabet.', 'X.680 41.4'],
  'lint.name_country': ['A country is not two letters.', 'RFC 5280 A.1'],

  // Alternative names (RFC 5280 §4.2.1.6)
  'lint.general_name_empty': ['An alternative name is empty.', 'RFC 5280 4.2.1.6'],
  'lint.dns_name_syntax': ['A dNSName is not in the preferred name syntax.', 'RFC 5280 4.2.1.6'],
  'lint.mailbox_syntax': ['An rfc822Name is not a Mailbox.', 'RFC 5280 4.2.1.6'],
  'lint.uri_not_absolute': ['A URI is relative.', 'RFC 5280 4.2.1.6'],
  'lint.uri_host': ['The authority of a URI has no host name or IP address.', 'RFC 5280 4.2.1.6'],
  'lint.ip_address_length': ['An iPAddress has neither 4 nor 16 octets.', 'RFC 5280 4.2.1.6'],
  'lint.other_name_malformed': ['An otherName is not what its type wants.', 'RFC 5280 4.2.1.6'],

  // Keys and who they belong to (RFC 5280 §4.2.1.1 to §4.2.1.3, §4.2.1.9, §4.2.1.12)
  'lint.authority_key_identifier_missing': [
    'A certificate that is not self-signed needs the authority key identifier.',
    'RFC 5280 4.2.1.1',
  ],
  'lint.authority_key_identifier_mismatch': [
    'The authority key identifier is not the subject key identifier of the CA that signs.',
    'RFC 5280 4.2.1.2',
  ],
  'lint.authority_cert_incomplete': [
    'authorityCertIssuer and authorityCertSerialNumber must stand together.',
    'RFC 5280 A.2',
  ],
  'lint.subject_key_identifier_missing': [
    'The certificate of a CA needs the subject key identifier.',
    'RFC 5280 4.2.1.2',
  ],
  'lint.key_usage_missing': ['The certificate of a CA needs keyUsage.', 'RFC 5280 4.2.1.3'],
  'lint.key_usage_empty': ['keyUsage has no bit set.', 'RFC 5280 4.2.1.3'],
  'lint.key_usage_cert_sign_without_ca': ['keyCertSign is set though cA is not.', 'RFC 5280 4.2.1.9'],
  'lint.key_usage_only_without_agreement': [
    'encipherOnly and decipherOnly mean nothing without keyAgreement.',
    'RFC 5280 4.2.1.3',
  ],
  'lint.key_usage_for_key': [
    'keyUsage has a bit that this kind of key cannot serve.',
    'RFC 8813 3, RFC 9295 3, RFC 9881 5',
  ],
  'lint.key_usage_for_purpose': ['No bit of keyUsage serves an extended key usage.', 'RFC 5280 4.2.1.12'],
  'lint.extended_key_usage_time_stamping': [
    'timeStamping must be the only purpose, in a critical extension.',
    'RFC 3161 2.3',
  ],
  'lint.basic_constraints_missing': ['The certificate of a CA needs basicConstraints with cA.', 'RFC 5280 4.2.1.9'],
  'lint.path_length_without_ca': ['pathLenConstraint needs cA and keyCertSign.', 'RFC 5280 4.2.1.9'],
  'lint.kind_mismatch': ['The certificate is not of the kind that the profile means to issue.', 'RFC 5280 4.2.1.9'],
  'lint.issuer_not_ca': ['The certificate that is to sign is not that of a CA.', 'RFC 5280 6.1.4'],
  'lint.issuer_path_length': ['The path length of the CA that signs leaves no room for this CA.', 'RFC 5280 6.1.4'],

  // Policies (RFC 5280 §4.2.1.4, §4.2.1.5, §4.2.1.11)
  'lint.policy_duplicate': ['A certificate policy stands twice.', 'RFC 5280 4.2.1.4'],
  'lint.policy_notice_length': ['The text of a notice is empty or longer than 200 characters.', 'RFC 5280 4.2.1.4'],
  'lint.policy_any_qualifier': ['anyPolicy may only have the qualifiers of RFC 5280.', 'RFC 5280 4.2.1.4'],
  'lint.policy_mapping_any': ['anyPolicy must not be mapped.', 'RFC 5280 4.2.1.5'],
  'lint.policy_constraints_empty': ['policyConstraints says nothing.', 'RFC 5280 4.2.1.11'],

  // Constraints, distribution points, access (RFC 5280 §4.2.1.10, §4.2.1.13, §4.2.2)
  'lint.name_constraints_empty': ['nameConstraints says nothing.', 'RFC 5280 4.2.1.10'],
  'lint.name_constraints_range': ['minimum must be 0 and maximum absent.', 'RFC 5280 4.2.1.10'],
  'lint.name_constraints_base': ['The base of a subtree is not in the form of its kind.', 'RFC 5280 4.2.1.10'],
  'lint.distribution_point_empty': ['A distribution point has neither a name nor a CRL issuer.', 'RFC 5280 4.2.1.13'],
  'lint.distribution_point_all_reasons': ['No distribution point covers all reasons.', 'RFC 5280 4.2.1.13'],
} as const satisfies Record<string, readonly [message: string, source: string]>

export type LintCode = keyof typeof LINT_RULES

export interface LintFinding {
  /** Stable: `lint.serial_too_long`. */
  readonly code: LintCode
  /** One sentence for the operator, with what was seen. */
  readonly message: string
  /** Where the rule stands: `RFC 5280 4.1.2.2`. */
  readonly source: string
}

/** Collects findings; `source` replaces the rule's where a row serves several sections. */
export type Report = (code: LintCode, seen?: string, source?: string) => void

export function collectFindings(into: LintFinding[]): Report {
  return (code, seen, source) => {
    const [message, where] = LINT_RULES[code]
    into.push({ code, message: seen === undefined ? message : `${message} (${seen})`, source: source ?? where })
  }
}
