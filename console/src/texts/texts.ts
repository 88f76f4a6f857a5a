// The texts of the console in the language of its reader. A language is a file beside `en.ts` with the same members.
import { en } from './en.ts'

export type Texts = typeof en

const LANGUAGES: Readonly<Record<string, Texts>> = { en }

function choose(): Texts {
  for (const wanted of navigator.languages) {
    const found = LANGUAGES[wanted.toLowerCase().split('-')[0] ?? '']
    if (found) return found
  }
  return en
}

export const texts: Texts = choose()
