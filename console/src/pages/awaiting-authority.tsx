// An authority that waits: its request to take along to whoever certifies it, and the way back in for the certificate.
import { Button, Checkbox, Textarea } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { call } from '../api/client.ts'
import type { Authority } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card, Facts } from '../parts/card.tsx'
import { Commands } from '../parts/copyable.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { FileDrop } from '../parts/file-drop.tsx'
import { Icon } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { saveFile } from '../parts/save-file.ts'
import { Step, Steps } from '../parts/steps.tsx'
import { say } from '../parts/toasts.tsx'
import { texts } from '../texts/texts.ts'
import { commonNameOf } from './authority-names.ts'
import { readPkiFile } from './read-pki-file.ts'

const t = texts.awaiting

export function AwaitingAuthority({ authority }: { readonly authority: Authority }) {
  const { permissions } = useSession()
  if (!permissions.has('authority.write')) {
    return (
      <Card title={t.title}>
        <EmptyState icon="certificates" title={texts.authority.waits}>
          {t.notYours}
        </EmptyState>
      </Card>
    )
  }
  return (
    <Card title={t.title} lead={t.lead}>
      <Steps label={t.title}>
        <Step state="done" title={t.request.title} lead={t.request.lead}>
          <Request id={authority.id} />
        </Step>
        <Step state="now" title={t.certify.title} lead={t.certify.lead}>
          <Certify authority={authority} />
        </Step>
        <Step state="now" title={t.bring.title} lead={t.bring.lead}>
          <BringIn id={authority.id} />
        </Step>
      </Steps>
    </Card>
  )
}

const requestQuery = (id: string) => ({
  queryKey: ['authority-request', id],
  queryFn: async () => {
    const { request } = await call('showAuthorityRequest', { params: { id } })
    const { objects } = await call('decode', { body: { text: request } })
    const [read] = objects
    return { request, read: read?.kind === 'request' ? read : undefined }
  },
  staleTime: Number.POSITIVE_INFINITY,
  // It is made by signing, and it stays the same: whatever else changes is no reason to ask again.
  enabled: ({ state }: { readonly state: { readonly data: unknown } }) => state.data === undefined,
})

function Request({ id }: { readonly id: string }) {
  const query = useQuery(requestQuery(id))
  return (
    <Loaded query={query} lines={4}>
      {({ request, read }) => (
        <div className="tm-form">
          {read && (
            <Facts
              rows={[
                [texts.certificates.fields.subject, read.subject],
                [texts.certificates.fields.keyAlgorithm, read.keyAlgorithm],
              ]}
            />
          )}
          <div className="tm-actions">
            <Button
              variant="default"
              leftSection={<Icon name="download" size={16} />}
              onClick={() => saveFile(`${id}.csr`, request, 'application/pkcs10')}
            >
              {t.request.save(id)}
            </Button>
          </div>
          <details className="tm-details">
            <summary>{t.request.show}</summary>
            <Commands text={request.trim()} label={t.request.title} />
          </details>
        </div>
      )}
    </Loaded>
  )
}

/** Our own roots, whose keys are kept away from the network: the exact command for the machine where they are. */
function Certify({ authority }: { readonly authority: Authority }) {
  const authorities = useQuery({ queryKey: ['authorities'], queryFn: () => call('listAuthorities') })
  const request = useQuery(requestQuery(authority.id))
  const away = authorities.data?.items.filter(
    ({ state, kind, keyIsHere }) => state === 'active' && kind !== 'issuing' && !keyIsHere,
  )
  const name = commonNameOf(request.data?.read?.subject ?? null)
  if (!away?.length || name === '') return null
  return (
    <>
      {away.map(({ id }) => (
        <Commands
          key={id}
          label={t.certify.command(id)}
          text={[
            `touchmark authority sign ${authority.id} ${authority.id}.csr \\`,
            `  --name ${shellText(name)} --kind ${authority.kind} \\`,
            `  --issuer ${id} --issuer-keys ./offline-root --out ${authority.id}.pem`,
          ].join('\n')}
        />
      ))}
    </>
  )
}

const shellText = (text: string) => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)

function BringIn({ id }: { readonly id: string }) {
  const queries = useQueryClient()
  const [text, setText] = useState('')
  const [otherName, setOtherName] = useState(false)
  const [busy, setBusy] = useState(false)
  const [thrown, setThrown] = useState<unknown>()
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setThrown(undefined)
    try {
      const { outcome } = await call('importAuthorityCertificate', {
        params: { id },
        body: { certificates: text, acceptOtherName: otherName },
      })
      say(outcome === 'waiting' ? texts.guarded.waiting : t.bring.done(id))
      await queries.invalidateQueries()
    } catch (caught) {
      setThrown(caught)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form className="tm-form" onSubmit={event => void submit(event)}>
      <FileDrop
        choose={t.bring.choose}
        multiple
        onFiles={files => void Promise.all(files.map(readPkiFile)).then(parts => setText(parts.join('\n')))}
      >
        {t.bring.drop}
      </FileDrop>
      <Textarea
        label={t.bring.paste}
        className="tm-mono-input"
        rows={6}
        spellCheck={false}
        value={text}
        onChange={event => setText(event.currentTarget.value)}
      />
      <Checkbox
        label={t.bring.otherName}
        description={t.bring.otherNameHelp}
        checked={otherName}
        onChange={event => setOtherName(event.currentTarget.checked)}
      />
      {thrown !== undefined && <ProblemPanel thrown={thrown} />}
      <div>
        <Button type="submit" loading={busy} disabled={text.trim() === ''}>
          {t.bring.act}
        </Button>
      </div>
    </form>
  )
}
