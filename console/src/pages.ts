// Every page of the console: its address, its place in the navigation, who sees it, and the file that it is loaded from when it is opened.
import type { QueryClient } from '@tanstack/react-query'
import type { ComponentType } from 'react'
import type { IconName } from './parts/icon.tsx'

export type Group = 'today' | 'fleet' | 'trust' | 'evidence' | 'administration'

export type SectionId =
  | 'overview'
  | 'approvals'
  | 'alerts'
  | 'devices'
  | 'factory'
  | 'jobs'
  | 'campaigns'
  | 'authorities'
  | 'certificates'
  | 'profiles'
  | 'rules'
  | 'revocation'
  | 'audit'
  | 'operators'
  | 'settings'
  | 'account'

export interface Section {
  readonly id: SectionId
  readonly path: string
  readonly group: Group
  readonly icon: IconName
  /** Letter after `g` that leads here. */
  readonly key: string
  /** Who lacks it does not see the section; the server refuses in any case. */
  readonly permission: string | null
}

export const SECTIONS: readonly Section[] = [
  { id: 'overview', path: '/', group: 'today', icon: 'overview', key: 'o', permission: 'statistics.read' },
  { id: 'approvals', path: '/approvals', group: 'today', icon: 'approvals', key: 'w', permission: 'enrolment.read' },
  { id: 'alerts', path: '/alerts', group: 'today', icon: 'alerts', key: 'e', permission: 'alert.read' },
  { id: 'devices', path: '/devices', group: 'fleet', icon: 'devices', key: 'd', permission: 'device.read' },
  { id: 'factory', path: '/factory', group: 'fleet', icon: 'factory', key: 'f', permission: 'batch.read' },
  { id: 'jobs', path: '/jobs', group: 'fleet', icon: 'clock', key: 'j', permission: 'device.read' },
  { id: 'campaigns', path: '/campaigns', group: 'fleet', icon: 'campaigns', key: 'c', permission: 'campaign.read' },
  {
    id: 'authorities',
    path: '/authorities',
    group: 'trust',
    icon: 'authorities',
    key: 'a',
    permission: 'authority.read',
  },
  {
    id: 'certificates',
    path: '/certificates',
    group: 'trust',
    icon: 'certificates',
    key: 'x',
    permission: 'certificate.read',
  },
  { id: 'profiles', path: '/profiles', group: 'trust', icon: 'profiles', key: 'p', permission: 'profile.read' },
  { id: 'rules', path: '/rules', group: 'trust', icon: 'rules', key: 'r', permission: 'rule.read' },
  {
    id: 'revocation',
    path: '/revocation',
    group: 'trust',
    icon: 'revocation',
    key: 'v',
    permission: 'certificate.read',
  },
  { id: 'audit', path: '/audit', group: 'evidence', icon: 'audit', key: 'l', permission: 'audit.read' },
  {
    id: 'operators',
    path: '/operators',
    group: 'administration',
    icon: 'operators',
    key: 'u',
    permission: 'operator.read',
  },
  {
    id: 'settings',
    path: '/settings',
    group: 'administration',
    icon: 'settings',
    key: 's',
    permission: 'settings.read',
  },
]

export interface PageProps {
  /** Segments that the pattern names. */
  readonly params: Readonly<Record<string, string>>
}

interface Page {
  readonly pattern: string
  readonly section: SectionId
  /** Once it is here. React's own `lazy` keeps its fallback for a third of a second, however fast the file comes. */
  component: ComponentType<PageProps> | undefined
  /** Fetches its file, once. */
  load(): Promise<void>
  /** Asks the server what the page will ask, before it is drawn; for pages that people wait for. */
  prefetch(queries: QueryClient): void
}

type PageModule<Name extends string> = Record<Name, ComponentType<PageProps>> & {
  readonly prefetch?: (queries: QueryClient) => void
}

function page<Name extends string>(
  pattern: string,
  section: SectionId,
  load: () => Promise<PageModule<Name>>,
  name: Name,
): Page {
  let loaded: PageModule<Name> | undefined
  return {
    pattern,
    section,
    component: undefined,
    async load() {
      loaded ??= await load()
      this.component = loaded[name]
    },
    prefetch(queries) {
      loaded?.prefetch?.(queries)
    },
  }
}

export const PAGES: readonly Page[] = [
  page('/', 'overview', () => import('./pages/overview.tsx'), 'Overview'),
  page('/approvals', 'approvals', () => import('./pages/approvals.tsx'), 'Approvals'),
  page('/alerts', 'alerts', () => import('./pages/alerts.tsx'), 'Alerts'),
  page('/devices', 'devices', () => import('./pages/devices.tsx'), 'Devices'),
  page('/devices/:id', 'devices', () => import('./pages/device.tsx'), 'Device'),
  page('/factory', 'factory', () => import('./pages/factory.tsx'), 'Factory'),
  page('/jobs', 'jobs', () => import('./pages/jobs.tsx'), 'Jobs'),
  page('/campaigns', 'campaigns', () => import('./pages/campaigns.tsx'), 'Campaigns'),
  page('/campaigns/:name', 'campaigns', () => import('./pages/campaign.tsx'), 'Campaign'),
  page('/authorities', 'authorities', () => import('./pages/authorities.tsx'), 'Authorities'),
  page('/authorities/new', 'authorities', () => import('./pages/make-authority.tsx'), 'MakeAuthority'),
  page('/authorities/:id/rollover', 'authorities', () => import('./pages/rollover.tsx'), 'Rollover'),
  page('/authorities/:id', 'authorities', () => import('./pages/authority.tsx'), 'Authority'),
  page('/certificates', 'certificates', () => import('./pages/certificates.tsx'), 'Certificates'),
  page('/certificates/:issuer/:serialNumber', 'certificates', () => import('./pages/certificate.tsx'), 'Certificate'),
  page('/profiles', 'profiles', () => import('./pages/profiles.tsx'), 'Profiles'),
  page('/profiles/:name', 'profiles', () => import('./pages/profile.tsx'), 'Profile'),
  page('/rules', 'rules', () => import('./pages/rules.tsx'), 'Rules'),
  page('/revocation', 'revocation', () => import('./pages/revocation.tsx'), 'Revocation'),
  page('/audit', 'audit', () => import('./pages/audit.tsx'), 'Audit'),
  page('/audit/:index', 'audit', () => import('./pages/audit-entry.tsx'), 'AuditEntry'),
  page('/operators', 'operators', () => import('./pages/operators.tsx'), 'Operators'),
  page('/settings', 'settings', () => import('./pages/settings.tsx'), 'Settings'),
  page('/account', 'account', () => import('./pages/account.tsx'), 'Account'),
]

export interface FoundPage {
  readonly page: Page
  readonly params: Readonly<Record<string, string>>
}

export function findPage(path: string): FoundPage | undefined {
  const given = path.replace(/\/+$/, '').split('/')
  for (const candidate of PAGES) {
    const wanted = candidate.pattern.replace(/\/+$/, '').split('/')
    if (wanted.length !== given.length) continue
    const params: Record<string, string> = {}
    const fits = wanted.every((segment, i) => {
      if (!segment.startsWith(':')) return segment === given[i]
      params[segment.slice(1)] = decodeURIComponent(given[i]!)
      return given[i] !== ''
    })
    if (fits) return { page: candidate, params }
  }
  return undefined
}
