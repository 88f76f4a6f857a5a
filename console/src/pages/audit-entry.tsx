// One entry of the log, octet for octet, and its proof, verified in this browser.
import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { toHex } from '../../../src/core/bytes/hex.ts'
import { call } from '../api/client.ts'
import type { InclusionProof } from '../api/schema.ts'
import type { PageProps } from '../pages.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Commands, Identifier } from '../parts/copyable.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded, Skeleton } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { verifyEntry } from './verify-entry.ts'

const t = texts.auditEntry

export function AuditEntry({ params }: PageProps) {
  const index = params['index'] ?? ''
  const query = useQuery({
    queryKey: ['entry', index],
    queryFn: () => call('showAuditEntry', { params: { index } }),
    staleTime: Number.POSITIVE_INFINITY,
  })
  return (
    <div className="tm-page">
      <Loaded query={query} lines={10}>
        {entry => (
          <>
            <PageHead
              title={t.title(entry.index)}
              mark={
                entry.outcome === 'refused' ? (
                  <StateBadge tone="bad">{entry.code ?? t.refused}</StateBadge>
                ) : (
                  <StateBadge tone="ok">{t.done}</StateBadge>
                )
              }
              lead={entry.meaning}
              back={{ to: '/audit', label: texts.sections.audit }}
            />
            <div className="tm-grid">
              <div className="tm-6 tm-stack">
                <Card title={t.says}>
                  <Facts
                    rows={[
                      [t.action, <code key="a">{entry.action}</code>],
                      [t.at, <Moment key="t" at={entry.at} show="absolute" />],
                      [
                        t.actor,
                        <>
                          {texts.actors[entry.actor.kind]} <code>{entry.actor.id}</code>
                        </>,
                      ],
                      ...Object.entries(entry.subject).map(
                        ([name, value]) => [name, <Subject key={name} name={name} value={value} />] as const,
                      ),
                      ...Object.entries(entry.detail).map(
                        ([name, value]) => [name, <Subject key={name} name={name} value={String(value)} />] as const,
                      ),
                    ]}
                  />
                </Card>
                <Card title={t.text} lead={t.textLead}>
                  <Commands text={entry.text} label={t.text} wrap />
                </Card>
              </div>
              <div className="tm-6 tm-stack">
                <Proof index={entry.index} text={entry.text} />
              </div>
            </div>
          </>
        )}
      </Loaded>
    </div>
  )
}

function Subject({ name, value }: { readonly name: string; readonly value: string }) {
  if (name === 'deviceId') {
    return (
      <Link to={`/devices/${value}`}>
        <code>{value}</code>
      </Link>
    )
  }
  // What is no identifier is short, and nobody copies it.
  return /^[0-9a-f]{16,}$|:/.test(value) ? <Identifier text={value} label={name} keep={18} /> : value
}

function Proof({ index, text }: { readonly index: number; readonly text: string }) {
  const proof = useQuery({
    queryKey: ['proof', index],
    queryFn: async () => {
      const given = await call('proveAuditEntry', { params: { index: String(index) } })
      return { given, verified: await verifyEntry(text, index, given) }
    },
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  })
  return (
    <>
      <Card title={t.proof.title} lead={t.proof.lead}>
        {proof.isError ? (
          <ProblemPanel thrown={proof.error} retry={() => void proof.refetch()} />
        ) : !proof.data ? (
          <Skeleton lines={4} />
        ) : (
          <>
            <ol className="tm-steps" aria-label={t.proof.title}>
              <Step>{t.proof.leaf}</Step>
              <Step>{t.proof.path(proof.data.given.proof.length, proof.data.verified.size)}</Step>
              {proof.data.verified.signedBy ? (
                <Step>{t.proof.signed(proof.data.verified.signedBy)}</Step>
              ) : (
                <li className="tm-dim">
                  <Icon name="warning" size={16} /> {t.proof.noEd25519}
                </li>
              )}
            </ol>
            <p className="tm-plain" data-verified="true">
              <StateBadge tone="ok" icon="shield">
                {t.proof.verified}
              </StateBadge>
            </p>
            <ProofPicture
              proof={proof.data.given}
              leaf={toHex(proof.data.verified.leaf)}
              root={toHex(proof.data.verified.root)}
            />
            <Button
              variant="default"
              size="xs"
              mt="md"
              component="a"
              href={`data:text/plain;charset=utf-8,${encodeURIComponent(proof.data.given.tlogProof)}`}
              download={`entry-${index}.tlog-proof`}
              leftSection={<Icon name="download" size={14} />}
            >
              {t.proof.download}
            </Button>
          </>
        )}
      </Card>
      {proof.data && (
        <Card title={t.checkpoint} lead={t.checkpointLead}>
          <Commands text={proof.data.given.checkpoint.note} label={t.checkpoint} wrap />
        </Card>
      )}
    </>
  )
}

function Step({ children }: { readonly children: string }) {
  return (
    <li>
      <span className="tm-tone-ok">
        <Icon name="check" size={16} />
      </span>{' '}
      {children}
    </li>
  )
}

const STEP = 26
const WIDTH = 460

/** The way from the leaf to the root: each line takes one hash of the proof in. */
function ProofPicture({
  proof,
  leaf,
  root,
}: {
  readonly proof: InclusionProof
  readonly leaf: string
  readonly root: string
}) {
  const height = (proof.proof.length + 2) * STEP + 8
  const short = (hash: string) => `${hash.slice(0, 10)}…`
  return (
    <div className="tm-picture-scroll">
      <svg
        className="tm-picture"
        width={WIDTH}
        height={height}
        role="img"
        aria-label={t.proof.picture(proof.proof.length)}
      >
        <line x1={70} x2={70} y1={16} y2={height - 16} stroke="var(--tm-ok)" strokeWidth={2} />
        <circle cx={70} cy={16} r={6} fill="var(--tm-link)" />
        <text x={90} y={20} className="tm-mono" fontWeight={600}>{`${t.proof.leafName} ${short(leaf)}`}</text>
        {proof.proof.map((hash, i) => {
          const y = 16 + (i + 1) * STEP
          return (
            <g key={hash}>
              <path d={`M240 ${y - 6} C150 ${y - 6} 110 ${y} 70 ${y}`} fill="none" stroke="var(--tm-border-strong)" />
              <circle cx={70} cy={y} r={4} fill="var(--tm-ok)" />
              <text x={250} y={y - 2} className="tm-picture-dim">{`+ ${short(hash)}`}</text>
            </g>
          )
        })}
        <circle cx={70} cy={height - 16} r={6} fill="var(--tm-ok)" />
        <text x={90} y={height - 12} fontWeight={600}>{`${t.proof.rootName} ${short(root)}`}</text>
      </svg>
    </div>
  )
}
