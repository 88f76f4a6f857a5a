// The commands, in the order in which one meets them. Each one's code is loaded only when it is called or its help is asked for, so
// that `touchmark --help` and short commands are quick.
import type { CommandRow } from './command.ts'

export const COMMANDS: readonly CommandRow[] = [
  {
    name: 'demo',
    summary: 'Show the whole way of a device, from the factory to its first renewal',
    load: async () => (await import('./demo.ts')).demoCommand(),
  },
  {
    name: 'init',
    summary: 'Make a data folder with a hierarchy of authorities',
    load: async () => (await import('./init.ts')).initCommand(),
  },
  { name: 'serve', summary: 'Run the server', load: async () => (await import('./serve.ts')).serveCommand() },
  {
    name: 'batch',
    summary: 'Give every unit of a factory file its certificate',
    load: async () => (await import('./batch.ts')).batchCommand(),
  },
  {
    name: 'token',
    summary: 'One-time tokens: bearer evidence for one enrolment',
    load: async () => (await import('./token.ts')).tokenCommand(),
  },
  {
    name: 'device',
    summary: 'Find a device, its keys and certificates',
    load: async () => (await import('./device.ts')).deviceCommand(),
  },
  {
    name: 'group',
    summary: 'Groups of devices by saved query',
    load: async () => (await import('./group.ts')).groupCommand(),
  },
  {
    name: 'owner',
    summary: 'Owners of devices, and whose signatures count for them',
    load: async () => (await import('./owner.ts')).ownerCommand(),
  },
  {
    name: 'certificate',
    summary: 'Find a certificate, or decode one from a file',
    load: async () => (await import('./certificate.ts')).certificateCommand(),
  },
  {
    name: 'verify',
    summary: 'Say whether a certificate is good right now, and why',
    load: async () => (await import('./verify.ts')).verifyCommand(),
  },
  {
    name: 'status',
    summary: 'Compact status artefacts: fetch, show, ask',
    load: async () => (await import('./status.ts')).statusCommand(),
  },
  {
    name: 'agent',
    summary: 'Be a device: enrol, renew by itself, report, obey',
    load: async () => (await import('./agent.ts')).agentCommand(),
  },
  {
    name: 'revoke',
    summary: 'Revoke, hold or release certificates',
    load: async () => (await import('./revoke.ts')).revokeCommand(),
  },
  { name: 'trust', summary: 'Print the trust anchors', load: async () => (await import('./trust.ts')).trustCommand() },
  {
    name: 'authority',
    summary: 'Certification authorities: list, show, make, import',
    load: async () => (await import('./authority.ts')).authorityCommand(),
  },
  {
    name: 'profile',
    summary: 'Certificate profiles: list, show, check, add',
    load: async () => (await import('./profile.ts')).profileCommand(),
  },
  {
    name: 'rule',
    summary: 'Registration rules: show, change, explain a decision',
    load: async () => (await import('./rule.ts')).ruleCommand(),
  },
  {
    name: 'renewal',
    summary: 'Renewal: what is coming, who hangs and why, and asking a device before its time',
    load: async () => (await import('./renewal.ts')).renewalCommand(),
  },
  {
    name: 'campaign',
    summary: 'Move many devices to another key, algorithm, profile or authority, in waves',
    load: async () => (await import('./campaign.ts')).campaignCommand(),
  },
  {
    name: 'alert',
    summary: 'Alerts: what is wrong, who has it in hand, and who is told',
    load: async () => (await import('./alert.ts')).alertCommand(),
  },
  {
    name: 'simulate',
    summary: 'Simulate a fleet, to size an installation and to see what a renewal policy does',
    load: async () => (await import('./simulate.ts')).simulateCommand(),
  },
  {
    name: 'operator',
    summary: 'Operators: who may sign in, and what they may do',
    load: async () => (await import('./operator-command.ts')).operatorCommand(),
  },
  {
    name: 'settings',
    summary: 'What the whole instance goes by: show, change',
    load: async () => (await import('./settings.ts')).settingsCommand(),
  },
  {
    name: 'audit',
    summary: 'The log: verify it, read it, prove from it',
    load: async () => (await import('./audit.ts')).auditCommand(),
  },
  {
    name: 'doctor',
    summary: 'Check this installation and say what to do',
    load: async () => (await import('./doctor.ts')).doctorCommand(),
  },
  {
    name: 'passphrase',
    summary: 'Change the passphrase of the key store',
    load: async () => (await import('./passphrase.ts')).passphraseCommand(),
  },
  {
    name: 'completion',
    summary: 'Print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).completionCommand(COMMANDS),
  },
]
