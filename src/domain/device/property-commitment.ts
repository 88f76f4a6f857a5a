// How the log refers to the value of a property: by its digest, or, where it could tell of a person, by a salted commitment that says
// nothing any more once value and salt are erased.

import { toUtf8 } from '../../core/bytes/utf8.ts'
import { hmacSha256, sha256Hex } from '../../crypto/digest.ts'
import { commitTo } from '../audit/commitment.ts'
import type { DeviceProperty } from './device-property.ts'

/** The `detail` of `device.property_changed`. */
export function propertyDetail(
  property: Pick<DeviceProperty, 'deviceId' | 'name' | 'value' | 'salt'> | null,
): { readonly commitment: string } | { readonly valueSha256: string } | { readonly removed: true } {
  if (property === null) return { removed: true }
  const { deviceId, name, value, salt } = property
  return salt === null
    ? { valueSha256: sha256Hex(toUtf8(value)) }
    : { commitment: commitTo(hmacSha256, salt, commitmentField({ deviceId, name }), value) }
}

/** The field that a commitment binds: the device and what is said of it. */
export function commitmentField({ deviceId, name }: Pick<DeviceProperty, 'deviceId' | 'name'>): string {
  return `device/${deviceId}/${name}`
}
