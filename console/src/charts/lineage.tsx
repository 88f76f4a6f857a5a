// The keys and certificates of a device as a picture: a lane for each key, a bar for each certificate as long as it is valid, and a line from
// each certificate to the one that took its place.
import { useElementSize } from '@mantine/hooks'
import type { Certificate, Key } from '../api/schema.ts'
import { dayText } from '../parts/moment.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.lineage

const LEFT = 168
const RIGHT = 14
const LANE = 58
const BAR = 24
const TOP = 26
/** Validity without an end (RFC 5280 §4.1.2.5) is drawn to the edge. */
const NO_EXPIRATION = Date.parse('9999-01-01T00:00:00Z')

export interface LineageProps {
  readonly keys: readonly Key[]
  readonly certificates: readonly Certificate[]
  /** Milliseconds since 1970. */
  readonly now: number
}

interface Bar {
  readonly certificate: Certificate
  readonly x: number
  readonly width: number
  readonly y: number
  readonly tone: 'ok' | 'bad' | 'warn' | 'idle'
  readonly open: boolean
}

function toneOf(certificate: Certificate): Bar['tone'] {
  return ({ good: 'ok', held: 'warn', revoked: 'bad', superseded: 'idle', expired: 'idle' } as const)[
    stateOf(certificate)
  ]
}

const nameOf = ({ issuer, serialNumber }: { readonly issuer: string; readonly serialNumber: string }) =>
  `${issuer}/${serialNumber}`

export function Lineage({ keys, certificates, now }: LineageProps) {
  const { ref, width: room } = useElementSize()
  const width = Math.max(room, 560)
  const times = certificates.flatMap(({ notBefore, notAfter }) => [Date.parse(notBefore), Date.parse(notAfter)])
  const finite = times.filter(time => time < NO_EXPIRATION)
  const first = Math.min(...finite, now)
  const last = Math.max(...finite, now)
  const span = Math.max(last - first, 3_600_000)
  const end = last + span * 0.06
  const scale = (time: number) => LEFT + ((Math.min(time, end) - first) / (end - first)) * (width - LEFT - RIGHT)

  // Keys that have certificates, the oldest above.
  const lanes = keys
    .filter(key => certificates.some(({ keyId }) => keyId === key.id))
    .toSorted((a, b) => a.createdAt.localeCompare(b.createdAt))
  const bars = new Map<string, Bar>()
  for (const [lane, key] of lanes.entries()) {
    const own = certificates.filter(({ keyId }) => keyId === key.id).toReversed()
    for (const [order, certificate] of own.entries()) {
      const x = scale(Date.parse(certificate.notBefore))
      const after = Date.parse(certificate.notAfter)
      bars.set(nameOf(certificate), {
        certificate,
        x,
        width: Math.max(scale(after) - x, 6),
        y: TOP + lane * LANE + (order % 2) * 14,
        tone: toneOf(certificate),
        open: after >= NO_EXPIRATION,
      })
    }
  }
  const height = TOP + lanes.length * LANE + 26
  const parts = width - LEFT > 560 ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.5, 1]
  const ticks = parts.map(part => first + part * (end - first))

  return (
    <div className="tm-picture-scroll" ref={ref}>
      <svg
        className="tm-picture"
        width={width}
        height={height}
        role="img"
        aria-label={t.description(lanes.length, certificates.length)}
      >
        {ticks.map((tick, i) => (
          <g key={tick}>
            <line x1={scale(tick)} x2={scale(tick)} y1={14} y2={height - 20} stroke="var(--tm-border)" />
            <text
              className="tm-picture-dim"
              x={scale(tick)}
              y={height - 6}
              textAnchor={i === 0 ? 'start' : i === ticks.length - 1 ? 'end' : 'middle'}
            >
              {dayText(tick)}
            </text>
          </g>
        ))}
        {lanes.map((key, lane) => (
          <g key={key.id}>
            {lane > 0 && (
              <line
                x1={0}
                x2={width}
                y1={TOP + lane * LANE - 10}
                y2={TOP + lane * LANE - 10}
                stroke="var(--tm-border)"
                strokeDasharray="2 4"
              />
            )}
            <text x={0} y={TOP + lane * LANE + 13} fontWeight={600}>
              {key.algorithm}
            </text>
            <text className="tm-picture-dim" x={0} y={TOP + lane * LANE + 29}>
              {`${key.id.slice(0, 8)}… · ${texts.keyStates[key.state]}`}
            </text>
          </g>
        ))}
        {[...bars.values()].map(({ certificate, x, y }) => {
          const before = certificate.replaces && bars.get(nameOf(certificate.replaces))
          if (!before) return null
          const from = { x: before.x + Math.min(before.width, 18), y: before.y + BAR }
          const to = { x: Math.max(x, before.x) + 4, y }
          const bend = (from.y + to.y) / 2
          return (
            <path
              key={`line-${nameOf(certificate)}`}
              d={
                before.y === y
                  ? `M${from.x} ${from.y - BAR / 2} H${to.x}`
                  : `M${from.x} ${from.y} C${from.x} ${bend} ${to.x} ${bend} ${to.x} ${to.y}`
              }
              fill="none"
              stroke="var(--tm-dim)"
              strokeWidth={1.5}
            />
          )
        })}
        {[...bars.values()].map(({ certificate, x, y, width, tone, open }) => (
          <g key={nameOf(certificate)}>
            <title>
              {t.bar(certificate.profile, certificate.serialNumber, texts.certificateStates[stateOf(certificate)])}
            </title>
            <rect
              x={x}
              y={y}
              width={width}
              height={BAR}
              rx={5}
              fill={`var(--tm-${tone}-soft)`}
              stroke={`var(--tm-${tone})`}
            />
            {width > 60 && (
              <text x={x + 8} y={y + 16} style={{ fill: `var(--tm-${tone}-text)` }}>
                {width > 150 ? `${certificate.profile} · …${certificate.serialNumber.slice(-6)}` : certificate.profile}
              </text>
            )}
            {open && width > 40 && (
              <text x={x + width - 14} y={y + 16} style={{ fill: `var(--tm-${tone}-text)` }}>
                ∞
              </text>
            )}
          </g>
        ))}
        <line x1={scale(now)} x2={scale(now)} y1={14} y2={height - 20} stroke="var(--tm-link)" strokeDasharray="4 4" />
        <text x={scale(now)} y={10} textAnchor="middle" style={{ fill: 'var(--tm-link)', fontSize: 11 }}>
          {t.now}
        </text>
      </svg>
    </div>
  )
}

export type StateOfCertificate = 'good' | 'held' | 'revoked' | 'superseded' | 'expired'

/** The status as people say it: a good certificate whose time is over has expired, and one that made place for another gives no alarm. */
export function stateOf(of: Pick<Certificate, 'status' | 'expired' | 'reason'>): StateOfCertificate {
  if (of.status === 'revoked' && of.reason === 'superseded') return 'superseded'
  return of.status === 'good' && of.expired ? 'expired' : of.status
}
