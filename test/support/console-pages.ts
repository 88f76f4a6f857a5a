// The pages of the console with something on each: for what must hold on all of them, and for their pictures.
import type { LiveServer } from './live-server.ts'

export interface ConsolePage {
  readonly path: string
  /** Heading by which the page is known to be there. */
  readonly ready: string | RegExp
  /** Of its picture. */
  readonly name: string
}

export async function consolePages(server: LiveServer): Promise<readonly ConsolePage[]> {
  await using store = await server.store()
  const [device] = (await store.read.devices({ model: 'sensor-t1', limit: 500 })).items.filter(
    each => each.state === 'active',
  )
  const [certificate] = device ? await store.read.certificatesOfDevice(device.id) : []
  const authorities = await store.read.authorities()
  const [campaign] = await store.read.campaignsAtWork()
  return [
    { path: '/', ready: 'Overview', name: 'overview' },
    { path: '/approvals', ready: 'Approvals', name: 'approvals' },
    { path: '/alerts', ready: 'Alerts', name: 'alerts' },
    { path: '/alerts?tab=rules', ready: 'Alerts', name: 'alert-rules' },
    { path: '/devices', ready: 'Devices', name: 'devices' },
    ...(device
      ? [
          { path: `/devices/${device.id}`, ready: device.serialNumber, name: 'device' },
          { path: `/devices/${device.id}?tab=timeline`, ready: device.serialNumber, name: 'device-timeline' },
          { path: `/devices/${device.id}?tab=keys`, ready: device.serialNumber, name: 'device-keys' },
          { path: `/devices/${device.id}?tab=commands`, ready: device.serialNumber, name: 'device-commands' },
        ]
      : []),
    { path: '/factory', ready: 'Factory', name: 'factory' },
    { path: '/jobs', ready: 'Jobs', name: 'jobs' },
    { path: '/campaigns', ready: 'Campaigns', name: 'campaigns' },
    ...(campaign ? [{ path: `/campaigns/${campaign.name}`, ready: campaign.name, name: 'campaign' }] : []),
    { path: '/authorities', ready: 'Authorities', name: 'authorities' },
    { path: '/authorities/new', ready: 'Make an authority', name: 'make-authority' },
    { path: '/authorities/ldevid-1/rollover', ready: 'Rollover of ldevid-1', name: 'rollover' },
    { path: `/authorities/${authorities.at(-1)!.id}`, ready: authorities.at(-1)!.id, name: 'authority' },
    { path: '/certificates', ready: 'Certificates', name: 'certificates' },
    ...(certificate
      ? [
          {
            path: `/certificates/${certificate.authorityId}/${certificate.serialNumber}`,
            ready: new RegExp(`^${certificate.profile} `),
            name: 'certificate',
          },
        ]
      : []),
    { path: '/profiles', ready: 'Profiles', name: 'profiles' },
    { path: '/profiles/ldevid', ready: 'ldevid', name: 'profile' },
    { path: '/rules', ready: 'Rules', name: 'rules' },
    { path: '/revocation?model=gateway-x2', ready: 'Revocation', name: 'revocation' },
    { path: '/audit', ready: 'Audit log', name: 'audit' },
    { path: '/audit/3', ready: 'Entry 3', name: 'audit-entry' },
    { path: '/operators', ready: 'Operators', name: 'operators' },
    { path: '/operators?tab=roles', ready: 'Operators', name: 'roles' },
    { path: '/operators?tab=four-eyes', ready: 'Operators', name: 'four-eyes' },
    { path: '/operators?tab=single-sign-on', ready: 'Operators', name: 'single-sign-on' },
    { path: '/settings', ready: 'Settings', name: 'settings' },
    { path: '/settings?tab=groups', ready: 'Settings', name: 'groups' },
    { path: '/settings?tab=owners', ready: 'Settings', name: 'owners' },
    { path: '/settings?tab=makers', ready: 'Settings', name: 'makers' },
    { path: '/settings?tab=trust', ready: 'Settings', name: 'trust' },
    { path: '/account', ready: 'Your account', name: 'account' },
  ]
}
