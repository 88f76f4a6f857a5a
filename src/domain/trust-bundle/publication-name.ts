// Under which names trust bundles are published: the one in force, and each version as it was last signed.
export const TRUST_BUNDLE_PUBLICATION = 'trust-bundle'

/** `trust-bundle/3` */
export function versionPublicationName(version: number): string {
  return `${TRUST_BUNDLE_PUBLICATION}/${version}`
}
