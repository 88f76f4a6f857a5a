// A pattern of model names, as rules and trust anchor lists write them: the pattern language of profiles without placeholders.
// `*` stands for one or more characters without . / @ :, `**` for any; case counts.
import { z } from 'zod'
import { TouchmarkError } from '../../core/errors.ts'
import { parsePattern } from '../ca/pattern.ts'

export type ModelPattern = (model: string) => boolean

const NO_VALUES = { device: null, request: {}, fields: {}, settings: { organization: '', hardwareType: '' } } as const

export const modelPattern = z
  .string()
  .min(1)
  .max(128)
  .transform((source, context): ModelPattern => {
    try {
      const pattern = parsePattern(source)
      if (pattern.placeholders.length === 0) return model => pattern.matches(model, NO_VALUES)
      context.addIssue({ code: 'custom', message: 'takes no {placeholders}' })
    } catch (cause) {
      if (!(cause instanceof TouchmarkError)) throw cause
      context.addIssue({ code: 'custom', message: cause.message })
    }
    return z.NEVER
  })
