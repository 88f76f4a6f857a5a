// An authority is named `<name>-<generation>`: ldevid-1, ldevid-2. Profiles that name it without the number mean the newest that is active.
import type { Authority } from '../api/schema.ts'

export function baseName(id: string): string {
  return id.replace(/-\d+$/, '')
}

/** The id that the next generation gets. */
export function nextId(id: string, authorities: readonly Pick<Authority, 'id' | 'generation'>[]): string {
  const name = baseName(id)
  const newest = Math.max(0, ...authorities.filter(each => baseName(each.id) === name).map(each => each.generation))
  return `${name}-${newest + 1}`
}

/** The generations after this one, newest first. */
export function successorsOf(
  { id, generation }: Pick<Authority, 'id' | 'generation'>,
  authorities: readonly Authority[],
): Authority[] {
  return authorities
    .filter(each => baseName(each.id) === baseName(id) && each.generation > generation)
    .sort((a, b) => b.generation - a.generation)
}

/** commonName of a subject as the API writes it; the number at its end is that of the generation, by custom. */
export function commonNameOf(subject: string | null): string {
  return /(?:^|,)CN=([^,]+)/.exec(subject ?? '')?.[1]?.trim() ?? ''
}

export function nextCommonName(subject: string | null, generation: number): string {
  return commonNameOf(subject).replace(/\d+$/, String(generation))
}
