// Permissions to choose from, each with its sentence.
import { Checkbox } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { call } from '../api/client.ts'
import { texts } from '../texts/texts.ts'
import { Loaded } from './loading.tsx'

export interface PermissionPickerProps {
  readonly value: readonly string[]
  readonly onChange: (value: readonly string[]) => void
}

export function PermissionPicker({ value, onChange }: PermissionPickerProps) {
  const permissions = useQuery({ queryKey: ['permissions'], queryFn: () => call('listPermissions') })
  return (
    <fieldset className="tm-fieldset">
      <legend>{texts.operators.permissions}</legend>
      <Loaded query={permissions} lines={5}>
        {({ items }) => (
          <div className="tm-checks">
            {items.map(({ name, may }) => (
              <Checkbox
                key={name}
                size="xs"
                label={name}
                description={may}
                checked={value.includes(name)}
                onChange={event =>
                  onChange(event.currentTarget.checked ? [...value, name] : value.filter(each => each !== name))
                }
              />
            ))}
          </div>
        )}
      </Loaded>
    </fieldset>
  )
}
