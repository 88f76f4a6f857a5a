// Playbooks: what to do when a device, a batch, an issuing CA or an algorithm is no longer to be trusted. Each is a campaign that is ready to
// be planned, and the acts around it that a person does in order; docs/operate/ tells the same with its reasons.
import type { KeyAlgorithmName } from '../../crypto/algorithms.ts'
import type { AuthorityId, BatchId } from '../ids.ts'
import type { CampaignDefinitionInput } from './definition.ts'

export interface Playbook {
  readonly title: string
  /** Who is meant, for the preview. */
  readonly campaign: CampaignDefinitionInput | null
  /** In order. A command is as it is typed after `touchmark`; `null` where a person does something else. */
  readonly steps: readonly PlaybookStep[]
}

export interface PlaybookStep {
  readonly what: string
  readonly command: string | null
}

/** Ready-made campaigns start small and stop early: whoever is in a hurry says so. */
const CAREFUL: CampaignDefinitionInput['pace'] = { canary: 10, waveSize: 1000, stopAtFailureShare: 0.05 }

/** `plan`: the command that writes the campaign of the playbook down. */
const campaignSteps = (name: string, plan: string): readonly PlaybookStep[] => [
  { what: 'Write the campaign down; nothing is asked yet.', command: `${plan} --name ${name} --plan` },
  { what: 'Start it; its canary goes first.', command: `campaign start ${name}` },
  { what: 'Watch it, and who hangs.', command: `campaign show ${name}` },
]

/** Somebody has the key of one device, or the device itself. */
export function compromisedDevice(serialNumber: string): Playbook {
  return {
    title: `The device ${serialNumber} is compromised`,
    campaign: null,
    steps: [
      {
        what: 'Hold everything it has while you find out. It can be undone.',
        command: `device suspend ${serialNumber}`,
      },
      {
        what: 'When it is certain: its certificates and keys are never trusted again.',
        command: `revoke --device ${serialNumber} --reason keyCompromise`,
      },
      { what: 'See when relying parties know: CRLs and OCSP are published within seconds.', command: 'doctor' },
      {
        what: 'A repaired device is resumed and enrols with a new key and a new token; one that is gone is retired.',
        command: `device retire ${serialNumber}`,
      },
    ],
  }
}

/** The keys of a whole batch may be known: a station was broken into, a random source was bad. */
export function compromisedBatch(batch: BatchId, name: string, profile: string): Playbook {
  return {
    title: `The batch ${batch} is compromised`,
    campaign: {
      name,
      devices: { batch },
      target: { profile, newKey: true },
      pace: { ...CAREFUL, patienceSeconds: 7 * 86_400 },
    },
    steps: [
      ...campaignSteps(name, `campaign playbook batch ${batch}`),
      {
        what: 'Who has not followed when the campaign ends may be an intruder: revoke what is left, device by device.',
        command: `campaign devices ${name} --state failed`,
      },
    ],
  }
}

/** An issuing CA is to be replaced: in good order, or because its key is known. */
export function replacedAuthority(
  from: AuthorityId,
  to: AuthorityId,
  name: string,
  profile: string,
  compromised: boolean,
): Playbook {
  const campaign: CampaignDefinitionInput = {
    name,
    devices: { authority: from },
    target: { profile, newKey: false, authority: to },
    pace: compromised
      ? { canary: 10, waveSize: 10_000, stopAtFailureShare: 0.1, patienceSeconds: 3 * 86_400 }
      : { ...CAREFUL, patienceSeconds: 14 * 86_400 },
  }
  return {
    title: compromised ? `The authority ${from} is compromised` : `The authority ${from} retires`,
    campaign,
    steps: [
      {
        what: `Make ${to}, where it does not exist yet. A profile that names its authority without a number goes to the newest one.`,
        command: `authority create ${to} --name "NAME" --issuer root-1 --issuer-keys FOLDER`,
      },
      ...(compromised
        ? [{ what: `From now on ${from} issues nothing.`, command: `authority retire ${from} --yes` }]
        : [{ what: `See that ${profile} comes from ${to} now.`, command: `profile show ${profile}` }]),
      ...campaignSteps(name, `campaign playbook authority ${from} --to ${to}${compromised ? ' --compromised' : ''}`),
      compromised
        ? {
            what: 'When the campaign is through, or at once if forged certificates are seen: revoke the CA itself. Whoever still holds one of its certificates is out then.',
            command: 'revoke --certificate SERIAL --reason cACompromise',
          }
        : {
            what: 'When nobody has a certificate of it any more, retire it.',
            command: `authority retire ${from} --yes`,
          },
    ],
  }
}

/** A key algorithm is past its date. */
export function endedAlgorithm(from: KeyAlgorithmName, to: KeyAlgorithmName, name: string, profile: string): Playbook {
  return {
    title: `${from} is past its date`,
    campaign: {
      name,
      devices: { keyAlgorithm: from },
      target: { profile, newKey: true, keyAlgorithm: to },
      pace: { ...CAREFUL, patienceSeconds: 14 * 86_400 },
    },
    steps: [
      { what: `See that ${profile} allows ${to}.`, command: `profile show ${profile}` },
      ...campaignSteps(name, `campaign playbook algorithm ${from} --to ${to}`),
      {
        what: `Take ${from} out of the profile, so that no renewal brings it back.`,
        command: `profile add ${profile}.json`,
      },
    ],
  }
}
