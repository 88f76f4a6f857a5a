// The alerts document as it is in force; those of a new instance where none was stored.

import type { StoreReader } from '../ports.ts'
import { DocumentCache } from '../ra/document-cache.ts'
import { ALERT_RULES_NAME, type AlertRules, defaultAlertRules, parseAlertRules } from './alert-rules.ts'

export class AlertRulesInForce {
  readonly #read: Pick<StoreReader, 'document' | 'configurationMarker'>
  readonly #cache = new DocumentCache<AlertRules>(parseAlertRules)
  readonly #initial = parseAlertRules(defaultAlertRules)
  #known: { readonly marker: number; readonly rules: AlertRules } | undefined

  constructor(read: Pick<StoreReader, 'document' | 'configurationMarker'>) {
    this.#read = read
  }

  /** Throws `document.unreadable` where a newer program wrote it. */
  async current(): Promise<AlertRules> {
    const marker = await this.#read.configurationMarker()
    if (this.#known?.marker === marker) return this.#known.rules
    const document = await this.#read.document('alerts', ALERT_RULES_NAME)
    const rules = document ? this.#cache.value(document) : this.#initial
    // What was read may be newer than the marker, never older.
    this.#known = { marker, rules }
    return rules
  }
}
