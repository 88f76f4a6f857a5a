// The frame around every page: navigation, search, what is live, who is signed in.
import { ActionIcon, Menu } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { call } from '../api/client.ts'
import { type LiveState, useLiveUpdates } from '../api/events.ts'
import type { SessionInfo } from '../api/session.ts'
import { findPage, SECTIONS } from '../pages.ts'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon } from '../parts/icon.tsx'
import { texts } from '../texts/texts.ts'
import { Link, navigate, usePath } from './address.tsx'
import { ColorSchemeMenu } from './color-scheme-menu.tsx'
import { CommandPalette, type PaletteOption } from './command-palette.tsx'
import { ErrorBoundary } from './error-boundary.tsx'
import { Navigation } from './navigation.tsx'
import { OpenedPage } from './opened-page.tsx'
import { ShortcutsHelp } from './shortcuts-help.tsx'
import { useShortcuts } from './use-shortcuts.ts'

const FOUND = 8

export function Shell({ session, onLeave }: { readonly session: SessionInfo; readonly onLeave: () => void }) {
  const path = usePath()
  const found = findPage(path)
  const live = useLiveUpdates()
  const main = useRef<HTMLElement>(null)
  const [open, setOpen] = useState(false)
  const [palette, setPalette] = useState(false)
  const [help, setHelp] = useState(false)
  const sections = useMemo(
    () => SECTIONS.filter(({ permission }) => permission === null || session.permissions.has(permission)),
    [session.permissions],
  )
  const waiting = useWaiting(session)
  const firing = useFiring(session)

  // A new page begins at its top, and the keyboard with it.
  const before = useRef(path)
  useEffect(() => {
    if (before.current === path) return
    before.current = path
    main.current?.scrollTo(0, 0)
    document.getElementById('page-title')?.focus({ preventScroll: true })
  }, [path])

  const shortcuts = useMemo(
    () => ({
      'mod+k': () => setPalette(shown => !shown),
      '/': () => setPalette(true),
      '?': () => setHelp(true),
      ...Object.fromEntries(sections.map(({ key, path: to }) => [`g ${key}`, () => navigate(to)])),
    }),
    [sections],
  )
  useShortcuts(shortcuts)

  const acts = useMemo(
    (): readonly PaletteOption[] => [
      {
        id: 'help',
        group: texts.palette.acts,
        icon: 'keyboard',
        label: texts.shortcuts.title,
        run: () => setHelp(true),
      },
      { id: 'leave', group: texts.palette.acts, icon: 'leave', label: texts.shell.signOut, run: onLeave },
    ],
    [onLeave],
  )
  const findDevices = useCallback(async (text: string, signal: AbortSignal): Promise<readonly PaletteOption[]> => {
    const { items } = await call('listDevices', { query: { search: text, limit: FOUND }, signal })
    return items.map(device => ({
      id: device.id,
      group: texts.palette.devices,
      icon: 'devices' as const,
      label: device.serialNumber,
      note: `${device.model} · ${texts.deviceStates[device.state]}`,
      run: () => navigate(`/devices/${device.id}`),
    }))
  }, [])

  return (
    <div className="tm-frame">
      <a className="tm-skip" href="#main">
        {texts.shell.skip}
      </a>
      <Navigation
        sections={sections}
        current={found?.page.section ?? ''}
        counts={{ approvals: waiting, alerts: firing }}
        open={open}
        onFollow={() => setOpen(false)}
      />
      <header className="tm-topbar">
        <ActionIcon
          className="tm-burger"
          variant="subtle"
          color="gray"
          size="lg"
          aria-label={texts.shell.navigation}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Icon name="menu" />
        </ActionIcon>
        <button type="button" className="tm-search-button" onClick={() => setPalette(true)}>
          <Icon name="search" size={16} /> {texts.shell.search}
          <kbd>Ctrl K</kbd>
        </button>
        <div className="tm-topbar-end">
          <Live state={live} />
          <ActionIcon
            variant="subtle"
            color="gray"
            size="lg"
            aria-label={texts.shortcuts.title}
            onClick={() => setHelp(true)}
          >
            <Icon name="keyboard" />
          </ActionIcon>
          <ColorSchemeMenu />
          <Menu position="bottom-end" withArrow>
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" size="lg" aria-label={texts.shell.account(session.name)}>
                <Icon name="person" />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Label>{session.name}</Menu.Label>
              {session.note && <Menu.Label>{session.note}</Menu.Label>}
              <Menu.Divider />
              <Menu.Item leftSection={<Icon name="key" size={16} />} onClick={() => navigate('/account')}>
                {texts.sections.account}
              </Menu.Item>
              <Menu.Item leftSection={<Icon name="leave" size={16} />} onClick={onLeave}>
                {texts.shell.signOut}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </div>
      </header>
      <main className="tm-main" id="main" ref={main} tabIndex={-1}>
        <ErrorBoundary key={path}>{found ? <OpenedPage found={found} /> : <NoPage />}</ErrorBoundary>
      </main>
      <CommandPalette
        opened={palette}
        sections={sections}
        acts={acts}
        find={findDevices}
        onClose={() => setPalette(false)}
      />
      <ShortcutsHelp opened={help} sections={sections} onClose={() => setHelp(false)} />
    </div>
  )
}

/** Requests that wait for a decision, for the mark in the navigation. */
function useWaiting(session: SessionInfo): number {
  const may = session.permissions.has('statistics.read')
  const overview = useQuery({
    queryKey: ['overview'],
    queryFn: ({ signal }) => call('showOverview', { signal }),
    refetchInterval: 30_000,
    enabled: may,
  })
  return overview.data?.waiting.requests ?? 0
}

/** Alerts that nobody looks after yet. */
function useFiring(session: SessionInfo): number {
  const alerts = useQuery({
    queryKey: ['alerts', 'firing'],
    queryFn: ({ signal }) => call('listAlerts', { query: { state: 'firing', limit: 100 }, signal }),
    refetchInterval: 30_000,
    enabled: session.permissions.has('alert.read'),
  })
  return alerts.data?.items.length ?? 0
}

function Live({ state }: { readonly state: LiveState }) {
  return (
    <span className="tm-live" data-state={state} role="status" title={texts.shell.live[state]}>
      <span>{texts.shell.liveShort[state]}</span>
    </span>
  )
}

function NoPage() {
  return (
    <div className="tm-page">
      <EmptyState icon="search" title={texts.shell.noPage} action={<Link to="/">{texts.shell.home}</Link>}>
        {texts.shell.noPageHelp}
      </EmptyState>
    </div>
  )
}
