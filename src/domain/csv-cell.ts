// A cell of CSV (RFC 4180) that is safe to open in a spreadsheet.

/** What begins so is a formula to a spreadsheet, and a device may have chosen the text. */
const FORMULA = /^[=+\-@\t\r]/

export function csvCell(text: string): string {
  const plain = FORMULA.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain
}
