// Who may do what: operators with their roles, the roles with their permissions, what needs a second person, and the provider that signs in.
import { Tabs } from '@mantine/core'
import { PageHead } from '../parts/page-head.tsx'
import { useSearch } from '../shell/address.tsx'
import { texts } from '../texts/texts.ts'
import { FourEyes } from './four-eyes.tsx'
import { People } from './people.tsx'
import { Roles } from './roles.tsx'
import { SingleSignOn } from './single-sign-on.tsx'

const t = texts.operators

const TABS = { operators: People, roles: Roles, 'four-eyes': FourEyes, 'single-sign-on': SingleSignOn } as const
type Tab = keyof typeof TABS

export function Operators() {
  const [search, change] = useSearch()
  const asked = search.get('tab')
  const tab: Tab = asked !== null && Object.hasOwn(TABS, asked) ? (asked as Tab) : 'operators'
  return (
    <div className="tm-page">
      <PageHead title={texts.sections.operators} lead={t.lead} />
      <Tabs
        value={tab}
        onChange={value => change({ tab: value === 'operators' ? undefined : (value ?? undefined) })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {(Object.keys(TABS) as Tab[]).map(name => (
            <Tabs.Tab key={name} value={name}>
              {t.tabs[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {(Object.keys(TABS) as Tab[]).map(name => {
          const Panel = TABS[name]
          return (
            <Tabs.Panel key={name} value={name}>
              <Panel />
            </Tabs.Panel>
          )
        })}
      </Tabs>
    </div>
  )
}
