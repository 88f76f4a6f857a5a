// One campaign while it runs: how far it is, wave by wave, who hangs and who failed, and the brakes.
import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { CampaignProgress } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import type { PageProps } from '../pages.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { Link } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { CAMPAIGN_TONES, targetText } from './campaigns.tsx'

const t = texts.campaign
type Act = 'start' | 'pause' | 'resume' | 'cancel' | 'rollBack'

const OPERATION = {
  start: 'startCampaign',
  pause: 'pauseCampaign',
  resume: 'resumeCampaign',
  cancel: 'cancelCampaign',
  rollBack: 'rollBackCampaign',
} as const

const ACTS: Readonly<Record<CampaignProgress['campaign']['state'], readonly Act[]>> = {
  planned: ['start', 'cancel'],
  running: ['pause', 'cancel'],
  paused: ['resume', 'rollBack', 'cancel'],
  finished: ['rollBack'],
  cancelling: [],
  cancelled: ['rollBack'],
  rolling_back: [],
  rolled_back: [],
}

const PARTS = [
  ['done', 'tm-fill-ok'],
  ['asked', 'tm-fill-info'],
  ['failed', 'tm-fill-bad'],
  ['skipped', 'tm-fill-warn'],
  ['going_back', 'tm-fill-warn'],
  ['back', 'tm-fill-idle'],
] as const

export function Campaign({ params }: PageProps) {
  const name = params['name'] ?? ''
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [act, setAct] = useState<Act>()
  const query = useQuery({
    queryKey: ['campaign', name],
    queryFn: ({ signal }) => call('showCampaign', { params: { name }, signal }),
    refetchInterval: 4_000,
  })
  return (
    <div className="tm-page">
      <Loaded query={query} lines={10}>
        {progress => {
          const { campaign } = progress
          const acts = permissions.has('campaign.write') ? ACTS[campaign.state] : []
          return (
            <>
              <PageHead
                title={campaign.name}
                mark={
                  <StateBadge tone={CAMPAIGN_TONES[campaign.state]}>
                    {texts.campaigns.states[campaign.state]}
                  </StateBadge>
                }
                lead={`${campaign.target.profile}: ${targetText(campaign)}`}
                back={{ to: '/campaigns', label: texts.sections.campaigns }}
                actions={acts.map(each => (
                  <Button
                    key={each}
                    variant={each === 'start' || each === 'resume' ? 'filled' : 'default'}
                    onClick={() => setAct(each)}
                  >
                    {t.acts[each]}
                  </Button>
                ))}
              />
              {campaign.stateReason && (
                <p className="tm-panel tm-plain tm-gap-bottom">
                  <StateBadge tone="warn">{campaign.stateReason}</StateBadge>
                </p>
              )}
              <div className="tm-grid">
                <div className="tm-8 tm-stack">
                  <Card title={t.progress} lead={t.progressLead(progress.total.done, campaign.devices)}>
                    <Bar total={progress.total} tall />
                    <ul className="tm-legend">
                      {PARTS.map(([part, fill]) => (
                        <li key={part}>
                          <i className={fill} aria-hidden="true" /> {t.parts[part]}{' '}
                          <span className="tm-num">{texts.number(progress.total[part])}</span>
                        </li>
                      ))}
                      <li>
                        <i className="tm-fill-none" aria-hidden="true" /> {t.parts.planned}{' '}
                        <span className="tm-num">{texts.number(progress.total.planned)}</span>
                      </li>
                    </ul>
                  </Card>
                  <Card title={t.waves} flush>
                    {progress.waves.length === 0 ? (
                      <EmptyState icon="campaigns" title={t.noWaves} />
                    ) : (
                      <table className="tm-table">
                        <thead>
                          <tr>
                            <th>{t.wave}</th>
                            <th className="tm-wide">{t.progress}</th>
                            <th className="tm-right">{t.parts.done}</th>
                            <th className="tm-right">{t.parts.failed}</th>
                          </tr>
                        </thead>
                        <tbody>
                          {progress.waves.map(({ wave, total }) => (
                            <tr key={wave}>
                              <td className="tm-num">{wave === 0 ? t.canary : texts.number(wave)}</td>
                              <td>
                                <Bar total={total} />
                              </td>
                              <td className="tm-right tm-num">{texts.number(total.done)}</td>
                              <td className="tm-right tm-num">{texts.number(total.failed)}</td>
                            </tr>
                          ))}
                        </tbody>
                      </table>
                    )}
                  </Card>
                  {(progress.failed.length > 0 || progress.hanging.length > 0) && (
                    <Card title={t.trouble} lead={t.troubleLead} flush>
                      <table className="tm-table">
                        <tbody>
                          {[...progress.failed, ...progress.hanging].map(each => (
                            <tr key={each.deviceId}>
                              <td>
                                <Link to={`/devices/${each.deviceId}`}>{each.serialNumber}</Link>
                                <div className="tm-dim tm-small">{each.model}</div>
                              </td>
                              <td>
                                <code>{each.reason}</code>
                              </td>
                              <td>
                                <Moment at={each.since} />
                              </td>
                            </tr>
                          ))}
                        </tbody>
                      </table>
                    </Card>
                  )}
                </div>
                <div className="tm-4 tm-stack">
                  <Card title={t.plan}>
                    <Facts
                      rows={[
                        [t.which, <code key="q">{JSON.stringify(campaign.query)}</code>],
                        [t.canarySize, texts.number(campaign.pace.canary)],
                        [t.waveSize, texts.number(campaign.pace.waveSize)],
                        [
                          t.perHour,
                          campaign.pace.perHour === null
                            ? texts.campaigns.unlimited
                            : texts.number(campaign.pace.perHour),
                        ],
                        [t.stopAt, texts.share(campaign.pace.stopAtFailureShare)],
                        [t.made, <Moment key="m" at={campaign.createdAt} />],
                        [t.begun, campaign.startedAt && <Moment key="s" at={campaign.startedAt} />],
                        [t.ended, campaign.finishedAt && <Moment key="f" at={campaign.finishedAt} />],
                      ]}
                    />
                  </Card>
                </div>
              </div>
              {act && (
                <Confirm
                  opened
                  title={t.title(t.acts[act], campaign.name)}
                  effects={t.effects[act](campaign.devices, progress.total.done)}
                  act={t.acts[act]}
                  tone={act === 'cancel' || act === 'rollBack' ? 'destructive' : 'normal'}
                  done={t.doneText(t.acts[act])}
                  onClose={() => setAct(undefined)}
                  run={async () => {
                    const result = await call(OPERATION[act], { params: { name } })
                    await queries.invalidateQueries()
                    return result
                  }}
                />
              )}
            </>
          )
        }}
      </Loaded>
    </div>
  )
}

function Bar({ total, tall }: { readonly total: CampaignProgress['total']; readonly tall?: boolean }) {
  const all = Object.values(total).reduce((sum, n) => sum + n, 0)
  return (
    <div
      className={tall ? 'tm-bar tm-bar-tall' : 'tm-bar'}
      role="progressbar"
      aria-label={t.progress}
      aria-valuemin={0}
      aria-valuemax={all}
      aria-valuenow={total.done}
    >
      {all > 0 &&
        PARTS.map(([part, fill]) => (
          <span key={part} className={fill} style={{ width: `${(100 * total[part]) / all}%` }} />
        ))}
    </div>
  )
}
