// A notice in words: the subject of a mail, its text, and the lines of a chat message.
import type { Notice, NoticeItem, NoticeReason } from '../../domain/alerts/notice.ts'

const REASONS: Readonly<Record<NoticeReason, string>> = {
  firing: '',
  still_firing: 'still so, and nobody has it in hand',
  worse: 'worse than before',
  resolved: 'over',
  test: 'a test: nothing is wrong',
}

/** One line, the worst first: `critical: The authority … ends on …. (and 2 more)`. */
export function headline({ items, more }: Notice): string {
  const [first] = items
  if (first === undefined) return 'Nothing to tell.'
  const others = items.length - 1 + more
  return `${label(first)}: ${first.summary}${others > 0 ? ` (and ${others} more)` : ''}`
}

/** `critical`, or `over` where it is. */
export function label({ why, severity }: NoticeItem): string {
  return why === 'resolved' ? 'over' : severity
}

export function reason({ why }: NoticeItem): string {
  return REASONS[why]
}

/** Plain text for a mail. */
export function noticeText(notice: Notice): string {
  const blocks = notice.items.map(item =>
    [
      `${label(item).toUpperCase()}  ${item.summary}`,
      ...(reason(item) === '' ? [] : [`    ${reason(item)}`]),
      `    since     ${moment(item.startedAt)}`,
      `    runbook   ${item.runbook}`,
      ...(item.why === 'test' ? [] : [`    in hand   touchmark alert ack ${item.alert}`]),
    ].join('\n'),
  )
  const more = notice.more > 0 ? [`And ${notice.more} more: touchmark alert list`] : []
  return `${[...blocks, ...more, `${notice.instance}, ${moment(notice.at)}`].join('\n\n')}\n`
}

export function moment(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('T', ' ').replace('.000Z', ' UTC')
}
