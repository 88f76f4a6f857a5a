// A QR code as a picture, dark on light in both colour schemes, because cameras expect it so.
import { qrCode } from './qr-code.ts'

/** Light modules around it, as the standard asks. */
const QUIET = 4

export function QrPicture({ text, label }: { readonly text: string; readonly label: string }) {
  const rows = qrCode(text)
  if (!rows) return null
  const size = rows.length + 2 * QUIET
  const path = rows
    .flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : '')))
    .join('')
  return (
    <svg className="tm-qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shapeRendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  )
}
