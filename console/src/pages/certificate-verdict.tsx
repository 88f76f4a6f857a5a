// A verdict as people read it: good or not and the most telling reason, every step that was looked at, the path drawn from its anchor down, and
// what is worth a word.
import type { Verdict } from '../api/schema.ts'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { StateBadge, type Tone } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.verdict

type Outcome = Verdict['steps'][number]['outcome']
const OUTCOMES: Readonly<Record<Outcome, [Tone, IconName]>> = {
  good: ['ok', 'check'],
  bad: ['bad', 'error'],
  warning: ['warn', 'warning'],
  unknown: ['warn', 'info'],
  not_asked: ['idle', 'dot'],
}

export function VerdictText({ verdict }: { readonly verdict: Verdict }) {
  const { good, reasons, warnings, registered } = verdict
  const tone = good ? (warnings.length > 0 ? 'warn' : 'ok') : 'bad'
  return (
    <>
      <section className={`tm-verdict tm-verdict-${tone} tm-verdict-small`} aria-label={t.title}>
        <Icon name={good ? (warnings.length > 0 ? 'warning' : 'check') : 'error'} size={26} />
        <div className="tm-verdict-text">
          <h2>{good ? (warnings.length > 0 ? t.goodWith(warnings.length) : t.good) : t.bad}</h2>
          <p>
            {good ? t.daysLeft(verdict.daysLeft) : reasons[0]?.message} <span className="tm-dim">{t.at}</span>{' '}
            <Moment at={verdict.at} show="absolute" />
          </p>
        </div>
      </section>
      <Findings title={t.reasons} findings={reasons} tone="bad" />
      <Findings title={t.warnings} findings={warnings} tone="warn" />
      <h3 className="tm-subhead">{t.steps}</h3>
      <ul className="tm-looked">
        {verdict.steps.map(({ step, outcome, text }) => {
          const [toneOf, icon] = OUTCOMES[outcome]
          return (
            <li key={`${step} ${text}`}>
              <StateBadge tone={toneOf} icon={icon}>
                {t.outcomes[outcome]}
              </StateBadge>
              <strong>{t.names[step]}</strong>
              <span>{text}</span>
            </li>
          )
        })}
      </ul>
      {verdict.path.length > 0 && (
        <>
          <h3 className="tm-subhead">{t.path}</h3>
          <Path path={verdict.path} at={verdict.at} />
        </>
      )}
      {registered && (
        <p className="tm-ours">
          {t.ours} <Link to={`/authorities/${registered.authority}`}>{registered.authority}</Link>, {registered.profile}
          {registered.device && (
            <>
              {' '}
              ·{' '}
              <Link to={`/devices/${registered.device.id}`}>
                {registered.device.model} {registered.device.serialNumber}
              </Link>{' '}
              <span className="tm-dim">({texts.deviceStates[registered.device.state]})</span>
            </>
          )}
        </p>
      )}
    </>
  )
}

interface FindingsProps {
  readonly title: string
  readonly findings: Verdict['reasons']
  readonly tone: 'bad' | 'warn'
}

function Findings({ title, findings, tone }: FindingsProps) {
  if (findings.length === 0) return null
  return (
    <>
      <h3 className="tm-subhead">{title}</h3>
      <ul className="tm-plain-list">
        {findings.map(({ code, message, evidence }) => (
          <li key={`${code} ${message}`}>
            <span className={`tm-tone-${tone}`}>
              <Icon name={tone === 'bad' ? 'error' : 'warning'} size={16} />
            </span>
            <span className="tm-grow">
              {message}
              <span className="tm-small tm-dim">
                <code>{code}</code>
                {Object.entries(evidence).map(([name, value]) => (
                  <span key={name}>
                    {' '}
                    · {name} <code>{String(value).slice(0, 80)}</code>
                  </span>
                ))}
              </span>
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}

/** The common name, or a device's serial number, which is how people know it. */
const shortName = (name: string) => /(?:^|,\s*)(?:CN|serialNumber)=((?:[^,\\]|\\.)+)/.exec(name)?.[1] ?? name

const STATUS: Readonly<Record<Verdict['path'][number]['status'], Tone>> = {
  good: 'ok',
  revoked: 'bad',
  unknown: 'warn',
  not_asked: 'idle',
}

/** From the anchor down, each with its span of validity and where in it the time of the verdict stands. */
function Path({ path, at }: Pick<Verdict, 'path' | 'at'>) {
  return (
    <ol className="tm-path">
      {path.toReversed().map(member => (
        <li key={member.sha256} data-role={member.role}>
          <span className="tm-path-mark">
            <Icon name={MARKS[member.role]} size={15} />
          </span>
          <div className="tm-path-body">
            <div className="tm-path-head">
              <strong title={member.subject}>{shortName(member.subject)}</strong>
              <span className="tm-dim tm-small">
                {t.roles[member.role]}, {member.keyAlgorithm}
              </span>
              {member.role !== 'anchor' && (
                <StateBadge tone={STATUS[member.status]}>{t.statuses[member.status]}</StateBadge>
              )}
            </div>
            <Span from={member.notBefore} to={member.notAfter} at={at} />
          </div>
        </li>
      ))}
    </ol>
  )
}

const MARKS = { leaf: 'certificates', intermediate: 'authorities', anchor: 'shield' } as const

function Span({ from, to, at }: { readonly from: string; readonly to: string; readonly at: string }) {
  const [start, end, now] = [Date.parse(from), Date.parse(to), Date.parse(at)]
  const share = Math.min(1, Math.max(0, (now - start) / Math.max(1, end - start)))
  const inside = now >= start && now <= end
  return (
    <div className="tm-span">
      <span className="tm-bar" aria-hidden="true">
        <span className={inside ? 'tm-fill-ok' : 'tm-fill-bad'} style={{ width: `${100 * share}%` }} />
      </span>
      <span className="tm-dim tm-small">
        {t.from} <Moment at={from} /> ·{' '}
        {to.startsWith('9999-') ? (
          t.neverEnds
        ) : (
          <>
            {t.until} <Moment at={to} />
          </>
        )}
      </span>
    </div>
  )
}
