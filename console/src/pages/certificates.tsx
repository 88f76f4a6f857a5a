// Whatever somebody holds in the hand: drop or paste certificates, requests and revocation lists, read them in words, and know whether the
// certificate is good, and why. Or find one of ours by its serial number.
import { Button, Textarea, TextInput } from '@mantine/core'
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { toBase64 } from '../../../src/core/bytes/base64.ts'
import { call, type Input } from '../api/client.ts'
import type { PkiObject } from '../api/schema.ts'
import { stateOf } from '../charts/lineage.tsx'
import { Card, Facts } from '../parts/card.tsx'
import { CertificateText, Extensions } from '../parts/certificate-text.tsx'
import { Commands, Identifier } from '../parts/copyable.tsx'
import { EmptyState } from '../parts/empty-state.tsx'
import { FileDrop } from '../parts/file-drop.tsx'
import { Icon } from '../parts/icon.tsx'
import { Skeleton } from '../parts/loading.tsx'
import { PageHead } from '../parts/page-head.tsx'
import { ProblemPanel } from '../parts/problem-panel.tsx'
import { CertificateState, StateBadge } from '../parts/state-badge.tsx'
import { Link, navigate, useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { FIRST_VERDICT_TERMS, VerdictForm, type VerdictTerms, verdictBody } from './certificate-question.tsx'
import { VerdictText } from './certificate-verdict.tsx'

const t = texts.certificates

/** Text as it is; octets that are no text as base64, which the server takes for DER. */
async function readFile(file: Blob): Promise<string> {
  const octets = new Uint8Array(await file.arrayBuffer())
  const text = new TextDecoder('utf-8').decode(octets)
  return /-----BEGIN /.test(text) ? text : toBase64(octets)
}

export function Certificates() {
  const [search] = useSearch()
  const [text, setText] = useState('')
  const [terms, setTerms] = useState(FIRST_VERDICT_TERMS)
  const [read, setRead] = useState('')
  const decode = useMutation({
    mutationFn: (given: string) => call('decode', { body: { text: given } }),
    onMutate: setRead,
  })
  const take = async (files: readonly File[]) => {
    const parts = await Promise.all(files.map(readFile))
    const all = parts.join('\n')
    setText(all)
    decode.mutate(all)
  }
  const certificates = (decode.data?.objects ?? []).flatMap(object =>
    object.kind === 'certificate' ? [object.certificate.pem] : [],
  )
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.certificates} lead={t.lead} />
      <div className="tm-grid">
        <div className="tm-5 tm-stack">
          <Card title={t.decode.title} lead={t.decode.lead}>
            <FileDrop
              choose={t.decode.choose}
              multiple
              accept=".pem,.der,.crt,.cer,.csr,.crl,.p10,.p7,application/pkix-cert"
              onFiles={files => void take(files)}
            >
              {t.decode.drop}
            </FileDrop>
            <form
              onSubmit={event => {
                event.preventDefault()
                decode.mutate(text)
              }}
            >
              <Textarea
                label={t.decode.paste}
                placeholder="-----BEGIN CERTIFICATE-----"
                value={text}
                onChange={event => setText(event.currentTarget.value)}
                rows={7}
                mt="md"
                className="tm-mono-input"
                spellCheck={false}
              />
              <Button type="submit" mt="sm" disabled={text.trim() === ''} loading={decode.isPending}>
                {t.decode.act}
              </Button>
            </form>
          </Card>
          <Card title={t.find.title} lead={t.find.lead}>
            <FindBySerial asked={search.get('serial') ?? ''} />
          </Card>
        </div>
        <div className="tm-7 tm-stack">
          {decode.isError ? (
            <ProblemPanel thrown={decode.error} />
          ) : decode.isPending ? (
            <Card>
              <Skeleton />
            </Card>
          ) : decode.data ? (
            <>
              {certificates.length > 0 && (
                <Judged body={verdictBody(certificates, read, terms)!} terms={terms} onChange={setTerms} />
              )}
              {decode.data.objects.map((object, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: the order is that of the text
                <Explained key={index} object={object} />
              ))}
            </>
          ) : (
            <Card>
              <EmptyState icon="certificates" title={t.decode.empty}>
                {t.decode.emptyHelp}
              </EmptyState>
            </Card>
          )}
        </div>
      </div>
    </div>
  )
}

interface JudgedProps {
  readonly body: NonNullable<Input<'reachVerdict'>['body']>
  readonly terms: VerdictTerms
  readonly onChange: (terms: VerdictTerms) => void
}

/** The verdict on the first certificate of what was read, asked for anew with each change of the question. */
function Judged({ body, terms, onChange }: JudgedProps) {
  const query = useQuery({
    queryKey: ['verdict', JSON.stringify(body)],
    queryFn: ({ signal }) => call('reachVerdict', { body, signal }),
    placeholderData: keepPreviousData,
    retry: false,
  })
  return (
    <Card title={texts.verdict.title} lead={texts.verdict.lead}>
      <VerdictForm terms={terms} onChange={onChange} />
      <div className="tm-gap-top">
        {query.isError ? (
          <ProblemPanel thrown={query.error} />
        ) : query.data ? (
          <VerdictText verdict={query.data} />
        ) : (
          <Skeleton />
        )}
      </div>
    </Card>
  )
}

function FindBySerial({ asked }: { readonly asked: string }) {
  const [text, setText] = useState(asked)
  const find = useMutation({
    mutationFn: (serialNumber: string) => call('listCertificates', { query: { serialNumber } }),
    onSuccess: ({ items }) => {
      const [only] = items
      if (items.length === 1 && only) navigate(`/certificates/${only.issuer}/${only.serialNumber}`)
    },
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, for what the address asks
  useEffect(() => {
    if (asked) find.mutate(asked)
  }, [])
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        find.mutate(text.trim())
      }}
    >
      <TextInput
        label={t.find.serialNumber}
        value={text}
        onChange={event => setText(event.currentTarget.value)}
        rightSection={<Icon name="search" size={15} />}
        className="tm-mono-input"
      />
      {find.isError && <ProblemPanel thrown={find.error} />}
      {find.data && find.data.items.length !== 1 && (
        <ul className="tm-effects tm-gap-top">
          {find.data.items.length === 0 && <li>{t.find.nothing}</li>}
          {find.data.items.map(({ issuer, serialNumber, profile }) => (
            <li key={issuer}>
              <Link to={`/certificates/${issuer}/${serialNumber}`}>
                {issuer}, {profile}
              </Link>
            </li>
          ))}
        </ul>
      )}
    </form>
  )
}

function Explained({ object }: { readonly object: PkiObject }) {
  switch (object.kind) {
    case 'certificate':
      return (
        <Card
          title={t.kinds.certificate}
          aside={
            object.registered ? (
              <Link to={`/certificates/${object.registered.issuer}/${object.registered.serialNumber}`}>
                <CertificateState
                  state={stateOf(object.registered)}
                  label={t.ours(texts.certificateStates[stateOf(object.registered)])}
                />
              </Link>
            ) : (
              <StateBadge tone="idle">{t.notOurs}</StateBadge>
            )
          }
        >
          <CertificateText certificate={object.certificate} />
        </Card>
      )
    case 'request':
      return (
        <Card
          title={t.kinds.request}
          aside={
            <StateBadge tone={object.signature === 'valid' ? 'ok' : object.signature === 'invalid' ? 'bad' : 'idle'}>
              {t.signatures[object.signature]}
            </StateBadge>
          }
        >
          <Facts
            rows={[
              [t.fields.subject, object.subject],
              [t.fields.keyAlgorithm, object.keyAlgorithm],
              [t.fields.keyId, <Identifier key="k" text={object.keyId} label={t.fields.keyId} keep={10} />],
              [t.fields.attributes, object.attributes.join(', ')],
            ]}
          />
          <Extensions extensions={object.extensions} />
          <Commands text={object.pem} label="PEM" />
        </Card>
      )
    case 'crl':
      return (
        <Card title={t.kinds.crl}>
          <Facts
            rows={[
              [t.fields.issuer, object.issuer],
              [t.fields.number, object.number],
              [t.fields.thisUpdate, object.thisUpdate],
              [t.fields.nextUpdate, object.nextUpdate],
              [t.fields.signatureAlgorithm, object.signatureAlgorithm],
              [t.fields.entries, texts.number(object.entries)],
            ]}
          />
          <Extensions extensions={object.extensions} />
          {object.revoked.length > 0 && (
            <table className="tm-table">
              <thead>
                <tr>
                  <th>{t.fields.serialNumber}</th>
                  <th>{t.fields.revokedAt}</th>
                  <th>{t.fields.reason}</th>
                </tr>
              </thead>
              <tbody>
                {object.revoked.map(({ serialNumber, at, reason }) => (
                  <tr key={serialNumber}>
                    <td>
                      <code>{serialNumber}</code>
                    </td>
                    <td>{at}</td>
                    <td>{reason ?? '–'}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Card>
      )
    case 'unreadable':
      return (
        <Card title={t.kinds.unreadable(object.label)}>
          <p className="tm-plain">{object.why}</p>
        </Card>
      )
    default:
      return object satisfies never
  }
}
