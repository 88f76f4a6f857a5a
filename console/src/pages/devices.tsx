// A million devices: rows are fetched as one scrolls, and only those on the screen exist. The question stands in the address, so that a view
// can be kept, shared and gone back to.
import { Button, Checkbox, Select, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { type QueryClient, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react'
import { call } from '../api/client.ts'
import type { ListedDevice } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon } from '../parts/icon.tsx'
import { Skeleton } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { DeviceState } from '../parts/state-badge.tsx'
import { Link, navigate, useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { BulkActions, type BulkTarget, Selection } from './bulk-actions.tsx'
import { type DeviceQuery, FIELDS, type Field, queryOf, STATES, standingOf, VIEW_IDS } from './device-query.ts'
import { KeepQuestion } from './keep-question.tsx'
import { removeView, useSavedViews } from './saved-views.ts'

const t = texts.devices

const PAGE = 100
const ROW = 44
const COLUMNS = '28px minmax(190px, 1.6fr) minmax(110px, 1fr) 132px minmax(90px, 0.8fr) minmax(90px, 0.8fr) 120px 120px'

const listOf = (query: DeviceQuery) => ({
  queryKey: ['devices', query],
  queryFn: ({ pageParam, signal }: { readonly pageParam: string; readonly signal: AbortSignal }) =>
    call('listDevices', { query: { ...query, limit: PAGE, ...(pageParam ? { after: pageParam } : {}) }, signal }),
  initialPageParam: '',
  getNextPageParam: (last: { readonly next: string | null }) => last.next ?? undefined,
})

export function prefetch(queries: QueryClient): void {
  void queries.prefetchInfiniteQuery(listOf(queryOf(new URLSearchParams(window.location.search))))
}

export function Devices() {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [search, change] = useSearch()
  const text = search.toString()
  const query = useMemo(() => queryOf(new URLSearchParams(text)), [text])
  const [chosen, setChosen] = useState<ReadonlyMap<string, ListedDevice>>(new Map())
  // biome-ignore lint/correctness/useExhaustiveDependencies: another question is another choice
  useEffect(() => setChosen(new Map()), [text])

  const devices = useInfiniteQuery({
    ...listOf(query),
    placeholderData: before => before,
  })
  const rows = useMemo(() => devices.data?.pages.flatMap(({ items }) => items) ?? [], [devices.data])
  const groups = useQuery({ queryKey: ['groups'], queryFn: () => call('listGroups') })
  const standing = useMemo(() => standingOf(query, groups.data?.items ?? []), [query, groups.data])
  const [acting, setActing] = useState<BulkTarget>()
  const mayAct = permissions.has('device.write') || permissions.has('device.end')
  const toggle = (device: ListedDevice) => {
    const next = new Map(chosen)
    if (!next.delete(device.id)) next.set(device.id, device)
    setChosen(next)
  }

  return (
    <div className="tm-page tm-page-fill">
      <PageHead title={texts.sections.devices} lead={t.lead} />
      <Toolbar
        search={search}
        change={change}
        actions={
          <>
            <KeepQuestion query={query} address={text} standing={standing} />
            {mayAct && (
              <Button
                variant="default"
                disabled={!standing || rows.length === 0 || chosen.size > 0}
                onClick={() => standing && setActing({ query: standing })}
              >
                {texts.bulk.actOnAll}
              </Button>
            )}
          </>
        }
      />
      {chosen.size > 0 && (
        <Selection
          chosen={[...chosen.values()]}
          onClear={() => setChosen(new Map())}
          onAct={() => setActing({ chosen: [...chosen.values()] })}
        />
      )}
      {acting && (
        <BulkActions
          target={acting}
          onClose={done => {
            setActing(undefined)
            if (done) setChosen(new Map())
            if (done) void queries.invalidateQueries()
          }}
        />
      )}
      <div className="tm-card tm-list">
        {devices.isError && rows.length === 0 ? (
          <div className="tm-card-body">
            <ProblemPanel thrown={devices.error} retry={() => void devices.refetch()} />
          </div>
        ) : devices.isPending ? (
          <div className="tm-card-body">
            <Skeleton lines={12} />
          </div>
        ) : rows.length === 0 ? (
          <NoDevices asked={text !== ''} onClear={() => clear(search, change)} />
        ) : (
          <>
            <Rows
              rows={rows}
              chosen={chosen}
              toggle={toggle}
              fetchMore={() => {
                if (devices.hasNextPage && !devices.isFetchingNextPage) void devices.fetchNextPage()
              }}
            />
            <div className="tm-list-foot" role="status">
              {t.shown(rows.length, devices.hasNextPage)}
              {devices.isFetching && ` ${texts.loading}`}
            </div>
          </>
        )}
      </div>
    </div>
  )
}

function clear(search: URLSearchParams, change: (members: Record<string, undefined>) => void): void {
  change(Object.fromEntries([...search.keys()].map(name => [name, undefined])))
}

interface ToolbarProps {
  readonly search: URLSearchParams
  readonly change: (members: Readonly<Record<string, string | undefined>>) => void
  readonly actions: ReactNode
}

function Toolbar({ search, change, actions }: ToolbarProps) {
  const [typed, setTyped] = useState(search.get('q') ?? '')
  const settle = useDebouncedCallback((text: string) => change({ q: text }), 60)
  const asked = search.get('q') ?? ''
  useEffect(() => setTyped(asked), [asked])
  const state = search.get('state')
  const view = search.get('view')
  const [field, setField] = useState<Field>('model')
  const saved = useSavedViews()
  const address = search.toString()
  const active = FIELDS.filter(name => search.get(name))
  return (
    <>
      <div className="tm-toolbar">
        <TextInput
          className="tm-toolbar-grow"
          aria-label={t.searchLabel}
          placeholder={t.searchPlaceholder}
          leftSection={<Icon name="search" size={16} />}
          value={typed}
          onChange={event => {
            setTyped(event.currentTarget.value)
            settle(event.currentTarget.value)
          }}
        />
        <Select
          aria-label={t.fieldLabel}
          data={FIELDS.map(name => ({ value: name, label: t.fields[name] }))}
          value={field}
          onChange={value => value && setField(value as Field)}
          allowDeselect={false}
          w={124}
        />
        <FieldValue
          key={field}
          name={field}
          value={search.get(field) ?? ''}
          onChange={value => change({ [field]: value })}
        />
        {actions}
      </div>
      <div className="tm-toolbar">
        <div className="tm-chips">
          {VIEW_IDS.map(id => (
            <button
              key={id}
              type="button"
              className="tm-chip"
              aria-pressed={view === id}
              onClick={() => change({ view: view === id ? undefined : id, q: undefined, state: undefined })}
            >
              {t.views[id]}
            </button>
          ))}
          {saved.map(({ name, query }) => (
            <span key={name} className="tm-chip-pair">
              <button
                type="button"
                className="tm-chip"
                aria-pressed={address === query}
                onClick={() => navigate(`/devices?${query}`)}
              >
                <Icon name="bookmark" size={12} /> {name}
              </button>
              <button
                type="button"
                className="tm-chip"
                aria-label={t.removeView(name)}
                onClick={() => removeView(name)}
              >
                <Icon name="close" size={12} />
              </button>
            </span>
          ))}
          <span className="tm-chip-gap" />
          {STATES.map(each => (
            <button
              key={each}
              type="button"
              className="tm-chip"
              aria-pressed={state === each}
              onClick={() => change({ state: state === each ? undefined : each, q: undefined, view: undefined })}
            >
              {texts.deviceStates[each]}
            </button>
          ))}
          {active.map(name => (
            <button
              key={name}
              type="button"
              className="tm-chip"
              aria-pressed="true"
              aria-label={t.removeFilter(t.fields[name], search.get(name) ?? '')}
              onClick={() => change({ [name]: undefined })}
            >
              {t.fields[name]}: {search.get(name)} <Icon name="close" size={12} />
            </button>
          ))}
        </div>
      </div>
    </>
  )
}

interface FieldValueProps {
  readonly name: Field
  readonly value: string
  readonly onChange: (value: string) => void
}

function FieldValue({ name, value, onChange }: FieldValueProps) {
  const groups = useQuery({ queryKey: ['groups'], queryFn: () => call('listGroups'), enabled: name === 'group' })
  const [typed, setTyped] = useState(value)
  if (name === 'group') {
    return (
      <Select
        aria-label={t.valueLabel(t.fields[name])}
        placeholder={groups.data?.items.length === 0 ? t.noGroups : t.valuePlaceholder}
        data={(groups.data?.items ?? []).map(group => group.name)}
        value={value || null}
        onChange={chosen => onChange(chosen ?? '')}
        clearable
        w={150}
      />
    )
  }
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        onChange(typed.trim())
      }}
    >
      <TextInput
        aria-label={t.valueLabel(t.fields[name])}
        placeholder={name === 'label' ? t.labelPlaceholder : t.valuePlaceholder}
        value={typed}
        onChange={event => setTyped(event.currentTarget.value)}
        rightSection={<Icon name="filter" size={15} />}
        w={150}
      />
    </form>
  )
}

interface RowsProps {
  readonly rows: readonly ListedDevice[]
  readonly chosen: ReadonlyMap<string, ListedDevice>
  readonly toggle: (device: ListedDevice) => void
  readonly fetchMore: () => void
}

function Rows({ rows, chosen, toggle, fetchMore }: RowsProps) {
  const frame = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW,
    overscan: 12,
  })
  const visible = virtual.getVirtualItems()
  const last = visible.at(-1)?.index ?? 0
  useEffect(() => {
    if (last >= rows.length - 30) fetchMore()
  })
  return (
    <div
      className="tm-list-scroll"
      ref={frame}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
      tabIndex={0}
      role="table"
      aria-label={texts.sections.devices}
      aria-rowcount={-1}
    >
      <div role="rowgroup">
        <div className="tm-list-head" role="row" style={{ gridTemplateColumns: COLUMNS }}>
          <span role="columnheader">
            <span className="tm-hidden">{t.columns.choose}</span>
          </span>
          <span role="columnheader">{t.columns.serialNumber}</span>
          <span role="columnheader">{t.columns.model}</span>
          <span role="columnheader">{t.columns.state}</span>
          <span role="columnheader">{t.columns.owner}</span>
          <span role="columnheader">{t.columns.site}</span>
          <span role="columnheader">{t.columns.expires}</span>
          <span role="columnheader">{t.columns.seen}</span>
        </div>
      </div>
      <div role="rowgroup" className="tm-list-body" style={{ height: virtual.getTotalSize() }}>
        {visible.map(item => {
          const device = rows[item.index]!
          return (
            <div
              key={device.id}
              className="tm-list-row"
              role="row"
              aria-rowindex={item.index + 2}
              data-chosen={chosen.has(device.id)}
              style={{ transform: `translateY(${item.start}px)`, gridTemplateColumns: COLUMNS }}
            >
              <span role="cell">
                <Checkbox
                  size="xs"
                  aria-label={t.choose(device.serialNumber)}
                  checked={chosen.has(device.id)}
                  onChange={() => toggle(device)}
                />
              </span>
              <span role="cell">
                <Link to={`/devices/${device.id}`} className="tm-row-link tm-mono">
                  {device.serialNumber}
                </Link>
              </span>
              <span role="cell">{device.model}</span>
              <span role="cell">
                <DeviceState state={device.state} label={texts.deviceStates[device.state]} />
              </span>
              <span role="cell">{device.owner ?? <Nothing />}</span>
              <span role="cell">{device.site ?? <Nothing />}</span>
              <span role="cell">{device.expiresAt ? <Moment at={device.expiresAt} /> : <Nothing />}</span>
              <span role="cell">{device.lastSeenAt ? <Moment at={device.lastSeenAt} /> : <Nothing />}</span>
            </div>
          )
        })}
      </div>
    </div>
  )
}

function Nothing() {
  return (
    <span className="tm-dim">
      –<span className="tm-hidden"> {texts.nothing}</span>
    </span>
  )
}

function NoDevices({ asked, onClear }: { readonly asked: boolean; readonly onClear: () => void }) {
  if (!asked) {
    return (
      <EmptyState icon="devices" title={t.none}>
        {t.noneHelp}
      </EmptyState>
    )
  }
  return (
    <EmptyState
      icon="search"
      title={t.noneFound}
      action={
        <Button variant="default" onClick={onClear}>
          {t.clear}
        </Button>
      }
    >
      {t.noneFoundHelp}
    </EmptyState>
  )
}
