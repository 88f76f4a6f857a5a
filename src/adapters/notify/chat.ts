// Notices as chat messages: Slack and Mattermost take their own kinds of Markdown, Teams takes an adaptive card. What is told is put in as text
// that cannot become a link or call everybody in the room.
import type { AlertChannel } from '../../domain/alerts/alert-rules.ts'
import type { Notice, NoticeItem } from '../../domain/alerts/notice.ts'
import type { Post } from './http-post.ts'
import { label, moment, reason } from './notice-text.ts'

type ChatChannel = Extract<AlertChannel, { kind: 'chat' }>

const MARKS: Readonly<Record<string, string>> = { critical: '🔴', warning: '🟠', notice: '🔵', over: '✅' }

export function chatPost({ style }: ChatChannel, url: string, notice: Notice): Post {
  const headers = { 'content-type': 'application/json', 'user-agent': 'touchmark' }
  return { url, headers, body: JSON.stringify(MESSAGES[style](notice)) }
}

const MESSAGES: Readonly<Record<ChatChannel['style'], (notice: Notice) => unknown>> = {
  slack: notice => ({
    text: lines(notice, item => `${mark(item)} *${label(item)}* ${slackText(words(item))}`, slackText),
  }),
  mattermost: notice => ({
    text: lines(notice, item => `${mark(item)} **${label(item)}** ${markdownText(words(item))}`, markdownText),
  }),
  teams: notice => ({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            ...notice.items.map(item => block(`${mark(item)} **${label(item)}** ${markdownText(words(item))}`)),
            ...(notice.more > 0 ? [block(`and ${notice.more} more`)] : []),
            { ...block(markdownText(foot(notice))), isSubtle: true, size: 'Small' },
          ],
        },
      },
    ],
  }),
}

const block = (text: string) => ({ type: 'TextBlock', wrap: true, text })
const mark = (item: NoticeItem) => MARKS[label(item)] ?? ''
const foot = ({ instance, at }: Notice) => `${instance}, ${moment(at)}`

function words(item: NoticeItem): string {
  const why = reason(item)
  return `${item.summary}${why === '' ? '' : ` (${why})`} · ${item.runbook}`
}

function lines(notice: Notice, line: (item: NoticeItem) => string, text: (plain: string) => string): string {
  const more = notice.more > 0 ? [`and ${notice.more} more`] : []
  return [...notice.items.map(line), ...more, text(foot(notice))].join('\n')
}

/** Slack's own rule: these three, and nothing becomes a link or a mention. */
function slackText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A zero-width space keeps names from calling people. */
function markdownText(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>~|]/g, '\\$&').replaceAll('@', '@\u200b')
}
