// A certificate in words: what RFC 5280 has in it, field by field.
import type { CertificateText as Text } from '../api/schema.ts'
import { texts } from '../texts/texts.ts'
import { Facts } from './card.tsx'
import { Commands, Identifier } from './copyable.tsx'
import { Moment } from './moment.tsx'
import { StateBadge } from './state-badge.tsx'

const t = texts.certificates

export function CertificateText({ certificate }: { readonly certificate: Text }) {
  return (
    <>
      <Facts
        rows={[
          [t.fields.subject, certificate.subject],
          [t.fields.issuer, certificate.issuer],
          [
            t.fields.serialNumber,
            <Identifier key="s" text={certificate.serialNumber} label={t.fields.serialNumber} keep={16} />,
          ],
          [t.fields.notBefore, <Moment key="b" at={certificate.notBefore} show="absolute" />],
          [t.fields.notAfter, <Moment key="a" at={certificate.notAfter} show="absolute" />],
          [t.fields.keyAlgorithm, certificate.keyAlgorithm],
          [t.fields.signatureAlgorithm, certificate.signatureAlgorithm],
          [t.fields.sha256, <Identifier key="h" text={certificate.sha256} label={t.fields.sha256} keep={16} />],
          [t.fields.keyId, <Identifier key="k" text={certificate.keyId} label={t.fields.keyId} keep={16} />],
        ]}
      />
      <Extensions extensions={certificate.extensions} />
      <details className="tm-details">
        <summary>PEM</summary>
        <Commands text={certificate.pem} label="PEM" />
      </details>
    </>
  )
}

export function Extensions({ extensions }: { readonly extensions: Text['extensions'] }) {
  if (extensions.length === 0) return null
  return (
    <>
      <h3 className="tm-subhead">{t.extensions}</h3>
      <Facts
        rows={extensions.map(({ oid, name, critical, value }) => [
          name ?? oid,
          <span key={oid} className="tm-pre">
            {critical && <StateBadge tone="info">{t.critical}</StateBadge>} {value}
          </span>,
        ])}
      />
    </>
  )
}
