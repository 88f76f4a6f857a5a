// What a question to the list of devices is good for beyond this moment: a file, a view of one's own, a group for everybody.
import { Button, Menu, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import { addressOf, call } from '../api/client.ts'
import { useSession } from '../api/session.ts'
import { FormDialog } from '../parts/form-dialog.tsx'
import { Icon } from '../parts/icon.tsx'
import { texts } from '../texts/texts.ts'
import type { DeviceQuery, StandingQuery } from './device-query.ts'
import { saveView } from './saved-views.ts'

const t = texts.devices.keep

export interface KeepQuestionProps {
  readonly query: DeviceQuery
  /** Query of the address; empty where nothing is asked. */
  readonly address: string
  readonly standing: StandingQuery | undefined
}

export function KeepQuestion({ query, address, standing }: KeepQuestionProps) {
  const { permissions } = useSession()
  const [saving, setSaving] = useState<'view' | 'group'>()
  const file = (format: 'csv' | 'ndjson') => addressOf('exportDevices', { query: { ...query, format } as never })
  return (
    <>
      <Menu position="bottom-end" withArrow>
        <Menu.Target>
          <Button
            variant="default"
            leftSection={<Icon name="download" size={16} />}
            rightSection={<Icon name="down" size={12} />}
          >
            {t.export}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t.exportLead}</Menu.Label>
          <Menu.Item component="a" href={file('csv')} download="devices.csv">
            CSV
          </Menu.Item>
          <Menu.Item component="a" href={file('ndjson')} download="devices.ndjson">
            NDJSON
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Menu position="bottom-end" withArrow>
        <Menu.Target>
          <Button
            variant="default"
            leftSection={<Icon name="bookmark" size={16} />}
            rightSection={<Icon name="down" size={12} />}
            disabled={address === ''}
          >
            {t.save}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item onClick={() => setSaving('view')}>{t.asView}</Menu.Item>
          {permissions.has('device.write') && (
            <Menu.Item disabled={!standing} onClick={() => setSaving('group')}>
              {t.asGroup}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      {saving === 'view' && <SaveView address={address} onClose={() => setSaving(undefined)} />}
      {saving === 'group' && standing && <SaveGroup standing={standing} onClose={() => setSaving(undefined)} />}
    </>
  )
}

function SaveView({ address, onClose }: { readonly address: string; readonly onClose: () => void }) {
  const [name, setName] = useState('')
  return (
    <FormDialog
      title={t.viewTitle}
      act={t.save}
      size="md"
      onClose={onClose}
      run={async () => {
        saveView({ name: name.trim(), query: address })
        return t.viewSaved(name.trim())
      }}
    >
      <TextInput
        label={t.name}
        description={t.viewHelp}
        required
        withAsterisk={false}
        maxLength={40}
        value={name}
        onChange={event => setName(event.currentTarget.value)}
        data-autofocus
      />
    </FormDialog>
  )
}

function SaveGroup({ standing, onClose }: { readonly standing: StandingQuery; readonly onClose: () => void }) {
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  return (
    <FormDialog
      title={t.groupTitle}
      act={t.groupAct}
      onClose={onClose}
      run={async () => {
        const body = { schema: 1, name, description: description.trim(), query: standing }
        await call('putGroup', { params: { name }, version: 'new', body })
        return t.groupSaved(name)
      }}
    >
      <p className="tm-plain">{t.groupLead}</p>
      <TextInput
        label={t.name}
        description={t.groupHelp}
        required
        withAsterisk={false}
        pattern="[a-z0-9][a-z0-9._\-]*"
        maxLength={64}
        value={name}
        onChange={event => setName(event.currentTarget.value)}
        data-autofocus
      />
      <Textarea
        label={t.description}
        rows={2}
        maxLength={500}
        value={description}
        onChange={event => setDescription(event.currentTarget.value)}
      />
      <details className="tm-details">
        <summary>{t.query}</summary>
        <pre className="tm-pre">{JSON.stringify(standing, null, 2)}</pre>
      </details>
    </FormDialog>
  )
}
