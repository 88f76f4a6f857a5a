// What is said of a device: owner, site, labels, free attributes. What could tell of a person is marked, and can be erased for good.
import { ActionIcon, Button, Checkbox, Select, TextInput } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { call } from '../api/client.ts'
import type { DeviceDetail } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { FormDialog } from '../parts/form-dialog.tsx'
import { Icon } from '../parts/icon.tsx'
import { StateBadge } from '../parts/state-badge.tsx'
import { texts } from '../texts/texts.ts'
import {
  mayBePersonal,
  nameOf,
  PROPERTY_KINDS,
  type PropertyKind,
  type PropertyRow,
  propertyChanges,
  rowOf,
} from './property-rows.ts'

const t = texts.device.properties

export function DeviceProperties({ detail }: { readonly detail: DeviceDetail }) {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [editing, setEditing] = useState(false)
  const [erasing, setErasing] = useState(false)
  const may = permissions.has('device.write') && detail.device.state !== 'destroyed'
  const personal = detail.properties.filter(property => property.personal)
  const { id, serialNumber } = detail.device
  return (
    <Card
      title={t.title}
      aside={
        may && (
          <Button size="xs" variant="default" onClick={() => setEditing(true)}>
            {t.edit}
          </Button>
        )
      }
    >
      {detail.properties.length === 0 ? (
        <p className="tm-dim tm-plain">{t.none}</p>
      ) : (
        <Facts
          rows={detail.properties.map(property => [
            property.name,
            <span key={property.name}>
              {property.value} {property.personal && <StateBadge tone="info">{t.personal}</StateBadge>}
            </span>,
          ])}
        />
      )}
      {may && personal.length > 0 && (
        <Button mt="md" size="xs" variant="light" color="red" onClick={() => setErasing(true)}>
          {t.erase}
        </Button>
      )}
      {editing && <Edit detail={detail} onClose={() => setEditing(false)} />}
      <Confirm
        opened={erasing}
        title={t.eraseTitle(serialNumber)}
        effects={[t.eraseEffect(personal.map(({ name }) => name).join(', ')), ...t.eraseEffects]}
        act={t.erase}
        tone="destructive"
        word={serialNumber}
        done={t.erased}
        onClose={() => setErasing(false)}
        run={async () => {
          await call('erasePersonalProperties', { params: { id } })
          await queries.invalidateQueries()
        }}
      />
    </Card>
  )
}

function Edit({ detail, onClose }: { readonly detail: DeviceDetail; readonly onClose: () => void }) {
  const [rows, setRows] = useState<readonly PropertyRow[]>(() => detail.properties.map(rowOf))
  const set = (at: number, change: Partial<PropertyRow>) =>
    setRows(rows.map((row, i) => (i === at ? { ...row, ...change } : row)))
  const changes = propertyChanges(detail.properties, rows)
  return (
    <FormDialog
      title={t.editTitle(detail.device.serialNumber)}
      act={t.save}
      size="xl"
      ready={changes.length > 0}
      onClose={onClose}
      run={async () => {
        await call('changeDeviceProperties', { params: { id: detail.device.id }, body: { changes } })
        return t.saved
      }}
    >
      {rows.map((row, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place in the list while its name is typed
        <div key={at} className="tm-property">
          <Select
            aria-label={t.kind}
            data={PROPERTY_KINDS.map(value => ({ value, label: t.kinds[value] }))}
            value={row.kind}
            onChange={kind =>
              kind &&
              set(at, { kind: kind as PropertyKind, personal: row.personal && mayBePersonal(kind as PropertyKind) })
            }
            allowDeselect={false}
          />
          <TextInput
            aria-label={t.name}
            placeholder={t.name}
            required
            pattern="[A-Za-z0-9][A-Za-z0-9._\-]*"
            maxLength={64}
            disabled={row.kind === 'owner' || row.kind === 'site'}
            value={row.kind === 'owner' || row.kind === 'site' ? '' : row.name}
            onChange={event => set(at, { name: event.currentTarget.value })}
          />
          <TextInput
            aria-label={t.value}
            placeholder={t.value}
            required
            maxLength={256}
            value={row.value}
            onChange={event => set(at, { value: event.currentTarget.value })}
          />
          <Checkbox
            label={t.personal}
            disabled={!mayBePersonal(row.kind)}
            checked={row.personal && mayBePersonal(row.kind)}
            onChange={event => set(at, { personal: event.currentTarget.checked })}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t.remove(nameOf(row))}
            onClick={() => setRows(rows.filter((_, i) => i !== at))}
          >
            <Icon name="close" size={14} />
          </ActionIcon>
        </div>
      ))}
      <div>
        <Button
          size="xs"
          variant="default"
          leftSection={<Icon name="plus" size={14} />}
          onClick={() => setRows([...rows, { kind: 'label', name: '', value: '', personal: false }])}
        >
          {t.add}
        </Button>
      </div>
      <p className="tm-dim tm-plain">{t.personalHelp}</p>
    </FormDialog>
  )
}
