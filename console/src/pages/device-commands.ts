// Commands for this very device, to paste into a terminal: every value is filled in, and nothing in them is a secret.
import type { DeviceDetail } from '../api/schema.ts'
import { texts } from '../texts/texts.ts'

const t = texts.device.commands

export interface CommandBlock {
  readonly title: string
  readonly text: string
}

/** As a POSIX shell takes it. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:@=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

export function deviceCommands(detail: DeviceDetail, origin: string): CommandBlock[] {
  const { device, credentials } = detail
  const name = shellWord(device.serialNumber)
  const model = shellWord(device.model)
  const [credential] = credentials
  const blocks: CommandBlock[] = [
    { title: t.show, text: `touchmark device show ${name} --model ${model}` },
    {
      title: t.api,
      text: `curl --cacert roots.pem -H "Authorization: Bearer $TOUCHMARK_TOKEN" \\\n  ${origin}/api/v1/devices/${device.id}`,
    },
  ]
  if (credential) {
    blocks.push(
      {
        title: t.certificate,
        text:
          `touchmark certificate show ${credential.serialNumber} --pem > device.pem\n` +
          `openssl x509 -in device.pem -noout -subject -issuer -serial -dates -ext subjectAltName`,
      },
      {
        title: t.whoami,
        text: `curl --cacert roots.pem --cert device.pem --key device.key ${origin}/whoami`,
      },
      {
        title: t.renew,
        text:
          `openssl ecparam -name prime256v1 -genkey -noout -out new.key\n` +
          `openssl req -new -key new.key -subj "$(openssl x509 -in device.pem -noout -subject -nameopt compat | sed 's/^subject=//')" \\\n` +
          `  -outform DER | openssl base64 -out new.csr.b64\n` +
          `curl --cacert roots.pem --cert device.pem --key device.key \\\n` +
          `  -H 'Content-Type: application/pkcs10' --data-binary @new.csr.b64 -o new.p7.b64 \\\n` +
          `  ${origin}/.well-known/est/simplereenroll`,
      },
    )
  }
  blocks.push({
    title: t.agent,
    text:
      `touchmark token create --device ${name} --model ${model} --profile ldevid\n` +
      `touchmark agent enroll --server ${origin} --trust roots.pem \\\n` +
      `  --serial ${name} --model ${model} --token-file token --dir ./${name}\n` +
      `touchmark agent run --dir ./${name}`,
  })
  return blocks
}
