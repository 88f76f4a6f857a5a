// What the whole instance goes by, and the trust anchors that devices and services need.
import { Button } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { call, callVersioned } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Identifier } from '../parts/copyable.tsx'
import { DocumentEditor } from '../parts/document-editor.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.settings

export function Settings() {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const query = useQuery({ queryKey: ['settings'], queryFn: () => callVersioned('showSettings') })
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.settings} lead={t.lead} />
      <div className="tm-grid">
        <Card className="tm-7" title={t.instance} lead={query.data && t.version(query.data.version)}>
          <Loaded query={query} lines={10}>
            {({ value, version }) => (
              <DocumentEditor
                document={value.document}
                label={t.instance}
                editable={permissions.has('settings.write')}
                save={async body => {
                  await call('putSettings', { body, version })
                  await queries.invalidateQueries({ queryKey: ['settings'] })
                  return t.saved
                }}
              />
            )}
          </Loaded>
        </Card>
        {permissions.has('authority.read') && (
          <div className="tm-5 tm-stack">
            <TrustAnchors />
          </div>
        )}
      </div>
    </div>
  )
}

function TrustAnchors() {
  const query = useQuery({ queryKey: ['trust-bundle'], queryFn: () => call('showTrustBundle') })
  return (
    <Card title={t.trust} lead={t.trustLead}>
      <Loaded query={query} lines={4}>
        {({ roots }) => (
          <>
            <ul className="tm-plain-list">
              {roots.map(root => (
                <li key={root.sha256}>
                  <Icon name="shield" />
                  <span className="tm-grow">
                    <strong>{root.subject}</strong>
                    <span className="tm-dim tm-small">
                      SHA-256 <Identifier text={root.sha256} label="SHA-256" keep={12} />
                    </span>
                  </span>
                </li>
              ))}
            </ul>
            <Button
              component="a"
              href="/trust.pem"
              download="roots.pem"
              variant="default"
              mt="md"
              leftSection={<Icon name="download" size={16} />}
            >
              {t.download}
            </Button>
          </>
        )}
      </Loaded>
    </Card>
  )
}
