// Who owns a device, and how it changes hands: proposed here, signed by both owners with keys that are not here, in force at its time.
import { Button, Checkbox, Select, Textarea, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { toBase64 } from '../../../src/core/bytes/base64.ts'
import { addressOf, call } from '../api/client.ts'
import type { DeviceDetail, Transfer } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Commands } from '../parts/copyable.tsx'
import { FileDrop } from '../parts/file-drop.tsx'
import { FormDialog } from '../parts/form-dialog.tsx'
import { Icon } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { StateBadge, type Tone } from '../parts/state-badge.tsx'
import { texts } from '../texts/texts.ts'

const t = texts.device.transfers

const TONES: Readonly<Record<Transfer['state'], Tone>> = {
  proposed: 'warn',
  accepted: 'info',
  effective: 'ok',
  cancelled: 'idle',
}

export function DeviceOwnership({ detail }: { readonly detail: DeviceDetail }) {
  const { permissions } = useSession()
  const queries = useQueryClient()
  const [proposing, setProposing] = useState(false)
  const [signing, setSigning] = useState<Transfer>()
  const [cancelling, setCancelling] = useState<Transfer>()
  const { id, state } = detail.device
  const may = permissions.has('device.write')
  const open = detail.transfers.some(each => each.state === 'proposed' || each.state === 'accepted')
  const movable = state !== 'retired' && state !== 'destroyed'
  return (
    <Card
      title={t.title}
      lead={t.owner(detail.owner)}
      aside={
        may &&
        movable &&
        !open && (
          <Button size="xs" variant="default" onClick={() => setProposing(true)}>
            {t.propose}
          </Button>
        )
      }
    >
      {detail.transfers.length === 0 ? (
        <p className="tm-dim tm-plain">{t.none}</p>
      ) : (
        <ul className="tm-plain-list">
          {detail.transfers.map(transfer => (
            <li key={transfer.id}>
              <span className="tm-grow">
                <strong>
                  {transfer.from ?? t.nobody} → {transfer.to}
                </strong>{' '}
                <StateBadge tone={TONES[transfer.state]}>{t.states[transfer.state]}</StateBadge>
                <span className="tm-dim tm-small">
                  {transfer.state === 'proposed' &&
                    `${t.agreed(transfer.agreements.map(({ party }) => t.parties[party]))} `}
                  {transfer.state === 'accepted' ? (
                    <>
                      {t.takesEffect} <Moment at={transfer.effectiveAt} />
                    </>
                  ) : (
                    <Moment at={transfer.stateChangedAt} />
                  )}
                </span>
              </span>
              {may && (transfer.state === 'proposed' || transfer.state === 'accepted') && (
                <span className="tm-actions">
                  {transfer.state === 'proposed' && (
                    <Button size="xs" onClick={() => setSigning(transfer)}>
                      {t.sign}
                    </Button>
                  )}
                  <Button size="xs" variant="default" onClick={() => setCancelling(transfer)}>
                    {t.cancel}
                  </Button>
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      {proposing && <Propose detail={detail} onClose={() => setProposing(false)} />}
      {signing && <Sign transfer={signing} onClose={() => setSigning(undefined)} />}
      {cancelling && (
        <Confirm
          opened
          title={t.cancelTitle(cancelling.to)}
          effects={t.cancelEffects}
          act={t.cancelAct}
          tone="destructive"
          done={t.cancelled}
          onClose={() => setCancelling(undefined)}
          run={async () => {
            await call('cancelTransfer', { params: { id: cancelling.id } })
            await queries.invalidateQueries({ queryKey: ['device', id] })
          }}
        />
      )}
    </Card>
  )
}

function Propose({ detail, onClose }: { readonly detail: DeviceDetail; readonly onClose: () => void }) {
  const { permissions } = useSession()
  const owners = useQuery({
    queryKey: ['owners'],
    queryFn: () => call('listOwners'),
    enabled: permissions.has('owner.read'),
  })
  const settings = useQuery({
    queryKey: ['settings', 'transfers'],
    queryFn: () => call('showSettings'),
    enabled: permissions.has('settings.read'),
  })
  const [to, setTo] = useState<string | null>(null)
  const [when, setWhen] = useState('')
  const [newKey, setNewKey] = useState(true)
  const [byRule, setByRule] = useState(false)
  const ruleAllowed = settings.data?.document['ownershipTransfers'] === 'rule'
  const names = (owners.data?.items ?? []).map(({ name }) => name).filter(name => name !== detail.owner)
  return (
    <FormDialog
      title={t.proposeTitle(detail.device.serialNumber)}
      act={t.propose}
      ready={to !== null}
      onClose={onClose}
      run={async () => {
        const made = await call('proposeTransfer', {
          params: { id: detail.device.id },
          body: {
            to: to!,
            newKey,
            byRule: byRule && ruleAllowed,
            ...(when === '' ? {} : { effectiveAt: new Date(when).toISOString().replace(/\.\d+/, '') }),
          },
        })
        return t.proposed[made.state]
      }}
    >
      <div className="tm-form-row">
        <Select
          label={t.to}
          placeholder={names.length === 0 ? t.noOwners : t.pick}
          data={names}
          value={to}
          onChange={setTo}
          searchable
        />
        <TextInput
          label={t.when}
          type="datetime-local"
          value={when}
          onChange={event => setWhen(event.currentTarget.value)}
        />
      </div>
      <Checkbox
        label={t.newKey}
        description={t.newKeyHelp}
        checked={newKey}
        onChange={event => setNewKey(event.currentTarget.checked)}
      />
      {ruleAllowed && (
        <Checkbox
          label={t.byRule}
          description={t.byRuleHelp}
          checked={byRule}
          onChange={event => setByRule(event.currentTarget.checked)}
        />
      )}
      <div>
        <p className="tm-confirm-lead">{texts.confirm.effects}</p>
        <ul className="tm-effects">
          {(byRule && ruleAllowed ? t.ruleEffects : t.effects).map(effect => (
            <li key={effect}>{effect}</li>
          ))}
        </ul>
      </div>
    </FormDialog>
  )
}

function Sign({ transfer, onClose }: { readonly transfer: Transfer; readonly onClose: () => void }) {
  const [signature, setSignature] = useState('')
  const take = async ([file]: readonly File[]) => {
    const octets = new Uint8Array(await file!.arrayBuffer())
    const text = new TextDecoder('utf-8').decode(octets)
    setSignature(text.includes('-----BEGIN ') ? text : toBase64(octets))
  }
  return (
    <FormDialog
      title={t.signTitle(transfer.to)}
      act={t.signAct}
      ready={signature.trim() !== ''}
      onClose={onClose}
      run={async () => {
        const { state } = await call('signTransfer', { params: { id: transfer.id }, body: { signature } })
        return t.signed[state]
      }}
    >
      <p className="tm-plain">{t.signLead}</p>
      <div>
        <Button
          component="a"
          variant="default"
          href={addressOf('showTransferStatement', { params: { id: transfer.id } })}
          download="statement.json"
          leftSection={<Icon name="download" size={16} />}
        >
          {t.statement}
        </Button>
      </div>
      <Commands
        wrap
        label={t.command}
        text="openssl cms -sign -binary -in statement.json -signer owner.pem -inkey owner.key -outform DER -out statement.p7s"
      />
      <FileDrop choose={t.chooseSignature} accept=".p7s,.p7,.pem,.der" onFiles={files => void take(files)}>
        {t.dropSignature}
      </FileDrop>
      <Textarea
        label={t.pasteSignature}
        className="tm-mono-input"
        rows={4}
        spellCheck={false}
        value={signature}
        onChange={event => setSignature(event.currentTarget.value)}
      />
    </FormDialog>
  )
}
