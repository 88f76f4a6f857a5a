// The first look: is everything fine, what needs somebody today, and where the fleet is going.
import { type QueryClient, queryOptions, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { call } from '../api/client.ts'
import type { Horizon, Overview as OverviewNumbers } from '../api/schema.ts'
import { type Series, TimeChart } from '../charts/time-chart.tsx'
import { Card } from '../parts/card.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Loaded, Skeleton } from '../parts/loading.tsx'
import { Moment, useNow } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { DeviceState, StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { type Need, needsOf } from './overview-needs.ts'

const t = texts.overview

const NUMBERS = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => call('showOverview', { signal }),
})
const HORIZON = queryOptions({
  queryKey: ['horizon'],
  queryFn: ({ signal }) => call('showHorizon', { query: { days: 400, by: 'day' }, signal }),
})

export function prefetch(queries: QueryClient): void {
  void queries.prefetchQuery(NUMBERS)
  void queries.prefetchQuery(HORIZON)
}

export function Overview() {
  const overview = useQuery({ ...NUMBERS, refetchInterval: 15_000 })
  const horizon = useQuery({ ...HORIZON, refetchInterval: 120_000 })
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.overview} lead={t.lead} />
      <Loaded query={overview} lines={10}>
        {numbers => (
          <>
            <Verdict overview={numbers} />
            <Figures overview={numbers} />
            <div className="tm-grid tm-stretch tm-gap-top">
              <Card className="tm-8" title={t.horizon.title} lead={t.horizon.lead}>
                {horizon.data ? <HorizonChart horizon={horizon.data} /> : <Skeleton />}
              </Card>
              <Card className="tm-4" title={t.states.title} lead={t.states.lead(numbers.devices.total)}>
                <States overview={numbers} />
              </Card>
              <Card className="tm-8" title={t.activity.title} lead={t.activity.lead}>
                <ActivityChart overview={numbers} />
              </Card>
              <Card className="tm-4" title={t.refusals.title} lead={t.refusals.lead}>
                <Refusals overview={numbers} />
              </Card>
              <Card className="tm-8" title={t.authorities.title} lead={t.authorities.lead} flush>
                <Authorities overview={numbers} />
              </Card>
              <Card className="tm-4" title={t.log.title} lead={t.log.lead}>
                <Log overview={numbers} />
              </Card>
            </div>
          </>
        )}
      </Loaded>
    </div>
  )
}

function Verdict({ overview }: { readonly overview: OverviewNumbers }) {
  const now = useNow()
  const needs = useMemo(() => needsOf(overview, now), [overview, now])
  const tone = needs.length === 0 ? 'ok' : needs.some(({ urgency }) => urgency === 'bad') ? 'bad' : 'warn'
  const icon: IconName = { ok: 'check', warn: 'warning', bad: 'error' }[tone] as IconName
  return (
    <section className={`tm-verdict tm-verdict-${tone}`} aria-label={t.verdict.label}>
      <Icon name={icon} size={28} />
      <div className="tm-verdict-text">
        <h2>{tone === 'ok' ? t.verdict.fine : t.verdict.needs(needs.length)}</h2>
        {needs.length === 0 ? (
          <p>{t.verdict.fineLead}</p>
        ) : (
          <ul className="tm-todo">
            {needs.map(need => (
              <li key={JSON.stringify(need)}>
                <span className={`tm-tone-${need.urgency}`}>
                  <Icon name={need.urgency === 'bad' ? 'error' : 'warning'} size={17} />
                </span>
                <NeedText need={need} />
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  )
}

function NeedText({ need }: { readonly need: Need }) {
  const [text, to] = describe(need)
  return (
    <span className="tm-todo-text">
      {text} <Link to={to}>{t.needs.look}</Link>
    </span>
  )
}

function describe(need: Need): [string, string] {
  switch (need.kind) {
    case 'crl_stale':
      return [t.needs.crlStale(need.authority), '/revocation']
    case 'authority_expired':
      return [t.needs.authorityExpired(need.authority), '/authorities']
    case 'expired_not_renewed':
      return [t.needs.expiredNotRenewed(need.count), '/devices?view=expired']
    case 'log_behind':
      return [t.needs.logBehind(need.entries), '/audit']
    case 'requests_waiting':
      return [t.needs.requestsWaiting(need.count, need.more), '/approvals']
    case 'authority_ending':
      return [t.needs.authorityEnding(need.authority), '/authorities']
    case 'authority_unfinished':
      return [t.needs.authorityUnfinished(need.authority), '/authorities']
    case 'ending_soon':
      return [t.needs.endingSoon(need.count, need.days), '/devices?view=ending']
    case 'campaign_paused':
      return [t.needs.campaignPaused(need.name), `/campaigns/${need.name}`]
    default:
      return need satisfies never
  }
}

function Figures({ overview }: { readonly overview: OverviewNumbers }) {
  const day = overview.activity.slice(-24)
  const sum = (measure: 'enrolled' | 'renewed' | 'refused' | 'registered') =>
    day.reduce((total, row) => total + row[measure], 0)
  const month = overview.renewal.endingWithin.find(({ days }) => days === 30)
  const figures: [string, number, string, string | undefined][] = [
    [t.figures.devices, overview.devices.total, t.figures.devicesNote(sum('registered')), '/devices'],
    [t.figures.live, overview.renewal.live, t.figures.liveNote, undefined],
    [t.figures.enrolled, sum('enrolled'), t.figures.today, undefined],
    [t.figures.renewed, sum('renewed'), t.figures.today, undefined],
    [t.figures.refused, sum('refused'), t.figures.today, '/audit?outcome=refused'],
    [t.figures.ending, month?.certificates ?? 0, t.figures.endingNote, '/devices?view=ending'],
  ]
  return (
    <div className="tm-figures">
      {figures.map(([name, value, note, to]) => {
        const content = (
          <>
            <span className="tm-figure-name">{name}</span>
            <span className="tm-figure-value">{texts.number(value)}</span>
            <span className="tm-figure-note">{note}</span>
          </>
        )
        return to ? (
          <Link key={name} to={to} className="tm-figure">
            {content}
          </Link>
        ) : (
          <div key={name} className="tm-figure">
            {content}
          </div>
        )
      })}
    </div>
  )
}

const DAY = 86_400

function HorizonChart({ horizon }: { readonly horizon: Horizon }) {
  const { times, series, ending } = useMemo(() => {
    const first = Math.floor(Date.now() / 1000 / DAY) * DAY
    const days = 401
    const expiring = new Array<number>(days).fill(0)
    const renewing = new Array<number>(days).fill(0)
    for (const row of horizon.profiles.flatMap(({ rows }) => rows)) {
      const day = Math.floor((Date.parse(row.start) / 1000 - first) / DAY)
      if (day < 0 || day >= days) continue
      expiring[day]! += row.expiring
      renewing[day]! += row.renewing
    }
    const drawn: Series[] = [
      { label: t.horizon.renewing, color: '--tm-info', kind: 'area', values: renewing },
      { label: t.horizon.expiring, color: '--tm-warn', kind: 'bars', values: expiring },
    ]
    return {
      times: Array.from({ length: days }, (_, day) => first + day * DAY),
      series: drawn,
      ending: expiring.reduce((total, each) => total + each, 0),
    }
  }, [horizon])
  if (horizon.profiles.every(({ live }) => live === 0)) {
    return (
      <EmptyState icon="certificates" title={t.horizon.empty}>
        {t.horizon.emptyHelp}
      </EmptyState>
    )
  }
  return <TimeChart times={times} series={series} height={250} description={t.horizon.description(ending)} />
}

function ActivityChart({ overview }: { readonly overview: OverviewNumbers }) {
  const { times, series } = useMemo(() => {
    const rows = overview.activity
    const drawn: Series[] = [
      { label: t.activity.enrolled, color: '--tm-ok', kind: 'line', values: rows.map(row => row.enrolled) },
      { label: t.activity.renewed, color: '--tm-info', kind: 'line', values: rows.map(row => row.renewed) },
      { label: t.activity.refused, color: '--tm-bad', kind: 'line', values: rows.map(row => row.refused) },
    ]
    return { times: rows.map(row => Date.parse(row.start) / 1000), series: drawn }
  }, [overview.activity])
  const total = series.flatMap(({ values }) => values).reduce((sum, value) => sum + value, 0)
  return <TimeChart times={times} series={series} height={210} description={t.activity.description(total)} />
}

const FILL: Readonly<Record<string, string>> = {
  active: 'tm-fill-ok',
  manufactured: 'tm-fill-idle',
  shipped: 'tm-fill-info',
  suspended: 'tm-fill-warn',
  retired: 'tm-fill-idle',
  destroyed: 'tm-fill-idle',
}

function States({ overview }: { readonly overview: OverviewNumbers }) {
  const { total, byState } = overview.devices
  if (total === 0) {
    return (
      <EmptyState icon="devices" title={texts.devices.none}>
        {texts.devices.noneHelp}
      </EmptyState>
    )
  }
  const order = ['active', 'shipped', 'manufactured', 'suspended', 'retired', 'destroyed'] as const
  return (
    <>
      <div className="tm-bar tm-bar-tall">
        {order.map(state => (
          <span key={state} className={FILL[state]} style={{ width: `${(100 * byState[state]) / total}%` }} />
        ))}
      </div>
      <ul className="tm-rows">
        {order.map(state => (
          <li key={state}>
            <Link to={`/devices?state=${state}`}>
              <DeviceState state={state} label={texts.deviceStates[state]} />
            </Link>
            <span className="tm-num">{texts.number(byState[state])}</span>
            <span className="tm-num tm-dim tm-share">{texts.share(byState[state] / total)}</span>
          </li>
        ))}
      </ul>
    </>
  )
}

function Refusals({ overview }: { readonly overview: OverviewNumbers }) {
  const most = overview.refusals[0]?.count ?? 0
  if (most === 0) {
    return (
      <EmptyState icon="shield" title={t.refusals.none}>
        {t.refusals.noneHelp}
      </EmptyState>
    )
  }
  return (
    <ul className="tm-rows">
      {overview.refusals.slice(0, 8).map(({ code, count }) => (
        <li key={code} className="tm-rows-bar">
          <code>{code}</code>
          <span className="tm-num">{texts.number(count)}</span>
          <div className="tm-bar">
            <span className="tm-fill-bad" style={{ width: `${(100 * count) / most}%` }} />
          </div>
        </li>
      ))}
    </ul>
  )
}

function Authorities({ overview }: { readonly overview: OverviewNumbers }) {
  return (
    <table className="tm-table">
      <thead>
        <tr>
          <th>{t.authorities.name}</th>
          <th>{t.authorities.state}</th>
          <th>{t.authorities.ends}</th>
          <th>{t.authorities.crl}</th>
        </tr>
      </thead>
      <tbody>
        {overview.authorities.map(({ id, kind, state, notAfter, crl }) => (
          <tr key={id}>
            <td>
              <Link to={`/authorities/${id}`}>{id}</Link>{' '}
              <span className="tm-dim tm-small">{texts.authorityKinds[kind]}</span>
            </td>
            <td>
              <StateBadge tone={state === 'active' ? 'ok' : state === 'retired' ? 'idle' : 'warn'}>
                {texts.authorityStates[state]}
              </StateBadge>
            </td>
            <td>{notAfter ? <Moment at={notAfter} show="both" /> : '–'}</td>
            <td>
              {crl ? (
                <StateBadge tone={crl.fresh ? 'ok' : 'bad'}>
                  {t.authorities.crlNumber(crl.number)}, {crl.fresh ? t.authorities.next : t.authorities.overdue}{' '}
                  <Moment at={crl.nextUpdate} />
                </StateBadge>
              ) : (
                <span className="tm-dim">–</span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Log({ overview }: { readonly overview: OverviewNumbers }) {
  const { size, checkpoint } = overview.log
  return (
    <>
      <span className="tm-figure-value">{texts.number(size)}</span>
      <span className="tm-dim">{t.log.entries}</span>
      <p className="tm-log-state">
        {checkpoint ? (
          <>
            <StateBadge tone={checkpoint.entriesBehind === 0 ? 'ok' : 'info'} icon="shield">
              {checkpoint.entriesBehind === 0 ? t.log.allSigned : t.log.behind(checkpoint.entriesBehind)}
            </StateBadge>{' '}
            <span className="tm-dim tm-small">
              {t.log.signed} <Moment at={checkpoint.at} />
            </span>
          </>
        ) : (
          <StateBadge tone="warn">{t.log.unsigned}</StateBadge>
        )}
      </p>
      <Link to="/audit">{t.log.look}</Link>
    </>
  )
}
