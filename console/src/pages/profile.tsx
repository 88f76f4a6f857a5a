// One profile as JSON, and beside it what it makes: a sample certificate in words, with the findings of the lint, while one types.
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call, callVersioned } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import type { PageProps } from '../pages.ts'
import { Card } from '../parts/card.tsx'
import { CertificateText } from '../parts/certificate-text.tsx'
import { DocumentEditor } from '../parts/document-editor.tsx'
import { Loaded } from '../parts/loading.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.profiles

export function Profile({ params }: PageProps) {
  const name = params['name'] ?? ''
  const { permissions } = useSession()
  const queries = useQueryClient()
  const query = useQuery({
    queryKey: ['profile', name],
    queryFn: () => callVersioned('showProfile', { params: { name } }),
  })
  const [draft, setDraft] = useState<Record<string, unknown>>()
  const [settled] = useDebouncedValue(draft, 400)
  const sample = useQuery({
    queryKey: ['sample', name, settled],
    queryFn: () => call('sampleProfile', { body: settled ? { draft: settled } : { name } }),
    placeholderData: before => before,
    retry: false,
  })
  return (
    <div className="tm-page">
      <PageHead title={name} lead={t.oneLead} back={{ to: '/profiles', label: texts.sections.profiles }} />
      <div className="tm-grid">
        <Card className="tm-6" title={t.document} lead={query.data && t.versionOf(query.data.version)}>
          <Loaded query={query} lines={12}>
            {({ value, version }) => (
              <DocumentEditor
                document={value.document}
                label={t.document}
                editable={permissions.has('profile.write')}
                rows={34}
                onDraft={setDraft}
                save={async body => {
                  const { outcome } = await call('putProfile', { params: { name }, body, version })
                  await queries.invalidateQueries()
                  return texts.guarded[outcome]
                }}
              />
            )}
          </Loaded>
        </Card>
        <Card className="tm-6" title={t.sample} lead={t.sampleLead}>
          <Loaded query={sample} lines={12}>
            {({ ok, certificate, findings }) => (
              <>
                {ok && (
                  <p className="tm-plain">
                    <StateBadge tone="ok">{t.clean}</StateBadge>
                  </p>
                )}
                {findings.length > 0 && (
                  <ul className="tm-effects">
                    {findings.map(({ path, message }) => (
                      <li key={path + message}>
                        {path && <code>{path}</code>} {message}
                      </li>
                    ))}
                  </ul>
                )}
                {certificate && <CertificateText certificate={certificate} />}
              </>
            )}
          </Loaded>
        </Card>
      </div>
    </div>
  )
}
