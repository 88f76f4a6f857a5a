// Documents of one kind: a list of them, one opened beside it as JSON, and whatever helps to fill it in. Nothing of a colleague's is overwritten:
// saving names the version that was read.
import { Button, TextInput } from '@mantine/core'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { call } from '../api/client.ts'
import type { Document } from '../api/schema.ts'
import { useSession } from '../api/session.ts'
import { Card } from '../parts/card.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { DocumentEditor } from '../parts/document-editor.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { FileDrop } from '../parts/file-drop.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Loaded } from '../parts/loading.tsx'
import { Moment } from '../parts/moment.tsx'
import { useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { readPkiFile } from './read-pki-file.ts'

const t = texts.documents

type Body = Readonly<Record<string, unknown>>

export interface DocumentKind {
  readonly id: keyof typeof t.kinds
  readonly icon: IconName
  readonly list: 'listGroups' | 'listOwners' | 'listTrustAnchors'
  readonly put: 'putGroup' | 'putOwner' | 'putTrustAnchors'
  readonly permission: string
  /** What a new one begins as. */
  readonly template: (name: string) => Body
  /** Whether it holds certificates in PEM, which may be dropped. */
  readonly certificates?: true
  /** A way to end it, where there is one. */
  readonly end?: (name: string) => Promise<unknown>
  /** What is known about the one that is opened. */
  readonly beside?: (document: Document) => ReactNode
}

export function DocumentDesk({ kind }: { readonly kind: DocumentKind }) {
  const words = t.kinds[kind.id]
  const { permissions } = useSession()
  const [search, change] = useSearch()
  const query = useQuery({ queryKey: [kind.id], queryFn: () => call(kind.list) })
  const [making, setMaking] = useState<string>()
  const may = permissions.has(kind.permission)
  const opened = search.get('name')
  return (
    <div className="tm-grid">
      <div className="tm-4 tm-stack">
        <Card title={words.title} lead={words.lead} flush>
          <Loaded query={query} lines={3}>
            {({ items }) =>
              items.length === 0 ? (
                <EmptyState icon={kind.icon} title={words.none}>
                  {words.noneHelp}
                </EmptyState>
              ) : (
                <ul className="tm-picks">
                  {items.map(({ name, version, changedAt, document }) => (
                    <li key={name}>
                      <button
                        type="button"
                        aria-current={name === opened}
                        onClick={() => {
                          setMaking(undefined)
                          change({ name })
                        }}
                      >
                        <Icon name={kind.icon} size={16} />
                        <span className="tm-grow">
                          <strong>{name}</strong>
                          <span className="tm-dim tm-small">{String(document['description'] ?? '')}</span>
                          <span className="tm-dim tm-small">
                            {t.version(version)}, <Moment at={changedAt} />
                          </span>
                        </span>
                      </button>
                    </li>
                  ))}
                </ul>
              )
            }
          </Loaded>
        </Card>
        {may && <NewName words={words} known={query.data?.items ?? []} onName={setMaking} />}
      </div>
      <div className="tm-8">
        {making !== undefined ? (
          <Edit
            key={`new ${making}`}
            kind={kind}
            document={undefined}
            name={making}
            may={may}
            onSaved={() => {
              change({ name: making })
              setMaking(undefined)
            }}
          />
        ) : (
          <Loaded query={query} lines={8}>
            {({ items }) => {
              const document = items.find(({ name }) => name === opened)
              if (!document) {
                return (
                  <Card>
                    <EmptyState icon={kind.icon} title={t.pick}>
                      {words.about}
                    </EmptyState>
                  </Card>
                )
              }
              return <Edit key={document.name} kind={kind} document={document} name={document.name} may={may} />
            }}
          </Loaded>
        )}
      </div>
    </div>
  )
}

interface NewNameProps {
  readonly words: (typeof t.kinds)[keyof typeof t.kinds]
  readonly known: readonly Document[]
  readonly onName: (name: string) => void
}

function NewName({ words, known, onName }: NewNameProps) {
  const [name, setName] = useState('')
  const taken = known.some(each => each.name === name)
  return (
    <Card title={words.make}>
      <form
        className="tm-form"
        onSubmit={event => {
          event.preventDefault()
          onName(name)
          setName('')
        }}
      >
        <TextInput
          label={t.name}
          description={t.nameHelp}
          required
          withAsterisk={false}
          pattern="[a-z0-9][a-z0-9._\-]*"
          maxLength={64}
          error={taken ? t.taken : undefined}
          value={name}
          onChange={event => setName(event.currentTarget.value)}
        />
        <div>
          <Button type="submit" variant="default" disabled={taken}>
            {t.begin}
          </Button>
        </div>
      </form>
    </Card>
  )
}

interface EditProps {
  readonly kind: DocumentKind
  /** Absent: it is being made. */
  readonly document: Document | undefined
  readonly name: string
  readonly may: boolean
  readonly onSaved?: () => void
}

function Edit({ kind, document, name, may, onSaved }: EditProps) {
  const queries = useQueryClient()
  const [draft, setDraft] = useState<Body>()
  const [filled, setFilled] = useState<Body>()
  const [ending, setEnding] = useState(false)
  const words = t.kinds[kind.id]
  const drop = async (files: readonly File[]) => {
    const texts = await Promise.all(files.map(readPkiFile))
    const blocks = texts.flatMap(
      text => text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [],
    )
    const before = (draft ?? document?.document ?? kind.template(name)) as { certificates?: readonly string[] }
    setFilled({ ...before, certificates: [...(before.certificates ?? []), ...blocks.map(block => `${block}\n`)] })
  }
  return (
    <Card
      title={name}
      lead={document ? t.inForce(document.version) : t.unsaved}
      aside={
        document &&
        kind.end &&
        may && (
          <Button size="xs" variant="light" color="red" onClick={() => setEnding(true)}>
            {t.end}
          </Button>
        )
      }
    >
      {document && kind.beside?.(document)}
      {kind.certificates && may && (
        <div className="tm-gap-bottom">
          <FileDrop choose={t.chooseCertificates} multiple onFiles={files => void drop(files)}>
            {t.dropCertificates}
          </FileDrop>
        </div>
      )}
      <DocumentEditor
        document={document?.document ?? kind.template(name)}
        filled={filled}
        isNew={document === undefined}
        label={name}
        rows={16}
        editable={may}
        onDraft={setDraft}
        save={async body => {
          await call(kind.put, { params: { name }, version: document?.version ?? 'new', body })
          await queries.invalidateQueries({ queryKey: [kind.id] })
          onSaved?.()
          return t.saved(name)
        }}
      />
      {ending && kind.end && (
        <Confirm
          opened
          title={t.endTitle(name)}
          effects={words.endEffects}
          act={t.end}
          tone="destructive"
          word={name}
          done={t.saved(name)}
          onClose={() => setEnding(false)}
          run={async () => {
            await kind.end?.(name)
            await queries.invalidateQueries()
          }}
        />
      )}
    </Card>
  )
}
