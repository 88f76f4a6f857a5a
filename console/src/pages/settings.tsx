// What the whole instance goes by, the groups and owners that devices belong to, the makers that are believed, and the trust anchors to give away.
import { Button, Select, Tabs, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { call, callVersioned } from '../api/client.ts'
import type { Document } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Identifier } from '../parts/copyable.tsx'
import { DocumentEditor } from '../parts/document-editor.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { useSubmit } from '../parts/use-submit.ts'
import { Link, useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { DocumentDesk, type DocumentKind } from './document-desk.tsx'

const t = texts.settings

const GROUPS: DocumentKind = {
  id: 'groups',
  icon: 'bookmark',
  list: 'listGroups',
  put: 'putGroup',
  permission: 'device.write',
  template: name => ({ schema: 1, name, description: '', query: { model: '' } }),
  beside: document => <GroupNow key={document.name} document={document} />,
}

const OWNERS: DocumentKind = {
  id: 'owners',
  icon: 'person',
  list: 'listOwners',
  put: 'putOwner',
  permission: 'owner.write',
  template: name => ({ schema: 1, name, description: '', certificates: [] }),
  certificates: true,
  beside: ({ name }) => (
    <p className="tm-plain tm-gap-bottom">
      <Link to={`/devices?owner=${encodeURIComponent(name)}`}>{t.devicesOf(name)}</Link>
    </p>
  ),
}

const MAKERS: DocumentKind = {
  id: 'trust-anchors',
  icon: 'factory',
  list: 'listTrustAnchors',
  put: 'putTrustAnchors',
  permission: 'trust.write',
  template: name => ({
    name,
    description: '',
    certificates: [],
    model: { fixed: name },
    serialNumber: 'subject.serialNumber',
  }),
  certificates: true,
  end: name => call('forgetTrustAnchors', { params: { name } }),
}

const TABS = {
  instance: { permission: 'settings.read', panel: Instance },
  groups: { permission: 'device.read', panel: () => <DocumentDesk kind={GROUPS} /> },
  owners: { permission: 'owner.read', panel: () => <DocumentDesk kind={OWNERS} /> },
  makers: { permission: 'authority.read', panel: () => <DocumentDesk kind={MAKERS} /> },
  trust: { permission: 'authority.read', panel: TrustAnchors },
} as const
type Tab = keyof typeof TABS

export function Settings() {
  const { permissions } = useSession()
  const [search, change] = useSearch()
  const shown = (Object.keys(TABS) as Tab[]).filter(name => permissions.has(TABS[name].permission))
  const tab = shown.find(name => name === search.get('tab')) ?? shown[0] ?? 'instance'
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.settings} lead={t.lead} />
      <Tabs
        value={tab}
        onChange={value => change({ tab: value === shown[0] ? undefined : (value ?? undefined), name: undefined })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {shown.map(name => (
            <Tabs.Tab key={name} value={name}>
              {t.tabs[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {shown.map(name => {
          const Panel = TABS[name].panel
          return (
            <Tabs.Panel key={name} value={name}>
              <Panel />
            </Tabs.Panel>
          )
        })}
      </Tabs>
    </div>
  )
}

/** Who is in the group at this moment. */
function GroupNow({ document }: { readonly document: Document }) {
  const query = useQuery({
    queryKey: ['group-now', document.name, document.version],
    queryFn: () => call('previewDevices', { body: { devices: document.document['query'] as never } }),
    retry: false,
  })
  return (
    <p className="tm-plain tm-gap-bottom">
      {query.data && `${t.inGroup(query.data.devices)} `}
      <Link to={`/devices?group=${document.name}`}>{t.showGroup}</Link>
    </p>
  )
}

interface Config {
  readonly organization?: string
  readonly publicHttpUrl?: string
  readonly cryptoPolicy?: { readonly name?: string; readonly enforcement?: string }
  readonly ownershipTransfers?: string
  readonly hardwareType?: { readonly default?: string }
}

const POLICIES = ['unlimited', 'nist-ir-8547', 'cnsa-2.0'] as const

function Instance() {
  const { permissions } = useSession()
  const may = permissions.has('settings.write')
  const query = useQuery({ queryKey: ['settings'], queryFn: () => callVersioned('showSettings') })
  return (
    <Loaded query={query} lines={10}>
      {({ value, version }) => {
        const save = async (body: Record<string, unknown>) => {
          await call('putSettings', { body, version })
          await query.refetch()
          return t.saved
        }
        return (
          <div className="tm-grid">
            <Card className="tm-7" title={t.instance} lead={t.version(version)}>
              <SettingsForm key={version} document={value.document} may={may} save={save} />
            </Card>
            <Card className="tm-5" title={t.asDocument} lead={t.asDocumentLead}>
              <DocumentEditor document={value.document} label={t.asDocument} editable={may} save={save} rows={18} />
            </Card>
          </div>
        )
      }}
    </Loaded>
  )
}

interface SettingsFormProps {
  readonly document: Readonly<Record<string, unknown>>
  readonly may: boolean
  readonly save: (body: Record<string, unknown>) => Promise<string>
}

function SettingsForm({ document, may, save }: SettingsFormProps) {
  const [config, setConfig] = useState(document as Config)
  const { busy, thrown, submit } = useSubmit(() => save({ ...document, ...config }))
  const policy = config.cryptoPolicy ?? {}
  const known = POLICIES.some(name => name === policy.name) || policy.name === undefined
  return (
    <form className="tm-form" onSubmit={submit}>
      <TextInput
        label={t.fields.organization}
        description={t.help.organization}
        required
        withAsterisk={false}
        maxLength={64}
        readOnly={!may}
        value={config.organization ?? ''}
        onChange={event => setConfig({ ...config, organization: event.currentTarget.value })}
      />
      <TextInput
        label={t.fields.publicHttpUrl}
        description={t.help.publicHttpUrl}
        type="url"
        required
        withAsterisk={false}
        readOnly={!may}
        value={config.publicHttpUrl ?? ''}
        onChange={event => setConfig({ ...config, publicHttpUrl: event.currentTarget.value })}
      />
      <TextInput
        label={t.fields.hardwareType}
        description={t.help.hardwareType}
        required
        withAsterisk={false}
        pattern="[0-2](\.[0-9]+)+"
        readOnly={!may}
        className="tm-mono-input"
        value={config.hardwareType?.default ?? ''}
        onChange={event =>
          setConfig({ ...config, hardwareType: { ...config.hardwareType, default: event.currentTarget.value } })
        }
      />
      <div className="tm-form-row">
        <Select
          label={t.fields.cryptoPolicy}
          data={(known ? [...POLICIES] : [...POLICIES, policy.name!]).map(value => ({
            value,
            label: t.policies[value as keyof typeof t.policies] ?? value,
          }))}
          value={policy.name ?? 'unlimited'}
          onChange={name => name && setConfig({ ...config, cryptoPolicy: { ...policy, name } })}
          allowDeselect={false}
          readOnly={!may}
        />
        <Select
          label={t.fields.enforcement}
          data={(['report', 'refuse'] as const).map(value => ({ value, label: t.enforcements[value] }))}
          value={policy.enforcement ?? 'report'}
          onChange={enforcement =>
            enforcement && setConfig({ ...config, cryptoPolicy: { name: 'unlimited', ...policy, enforcement } })
          }
          allowDeselect={false}
          readOnly={!may}
        />
      </div>
      <Select
        label={t.fields.ownershipTransfers}
        data={(['both', 'rule'] as const).map(value => ({ value, label: t.transfers[value] }))}
        value={config.ownershipTransfers ?? 'both'}
        onChange={value => value && setConfig({ ...config, ownershipTransfers: value })}
        allowDeselect={false}
        readOnly={!may}
      />
      {thrown !== undefined && <ProblemPanel thrown={thrown} />}
      {may && (
        <div>
          <Button type="submit" loading={busy}>
            {texts.editor.save}
          </Button>
        </div>
      )}
    </form>
  )
}

function TrustAnchors() {
  const query = useQuery({ queryKey: ['trust-bundle'], queryFn: () => call('showTrustBundle') })
  return (
    <Loaded query={query} lines={6}>
      {({ roots, published }) => (
        <div className="tm-grid">
          <Card className="tm-7" title={t.trust} lead={t.trustLead}>
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
          </Card>
          <Card className="tm-5" title={t.bundle} lead={t.bundleLead}>
            {published ? (
              <Facts
                rows={[
                  [t.bundleVersion, texts.number(published.version)],
                  [t.bundleRoots, texts.number(published.roots.length)],
                  [t.bundleSigned, <Moment key="s" at={published.signedAt} show="both" />],
                  [t.bundleEnds, <Moment key="e" at={published.signerEnds} show="both" />],
                ]}
              />
            ) : (
              <p className="tm-dim tm-plain">{t.noBundle}</p>
            )}
          </Card>
        </div>
      )}
    </Loaded>
  )
}
