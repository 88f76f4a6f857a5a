// The store of a data folder, by the address in its configuration. The adapter is loaded when it is needed: a command that has no
// store to open does not pay for one.
import type { StoreOptions } from '../adapters/store/open-store.ts'
import type { Store } from '../domain/ports.ts'
import type { Configuration } from './configuration.ts'
import { type DataFolder, storeUrl } from './data-folder.ts'

/** Opens the store that `init` made. Errors: those of the adapter (`store.missing`, `store.unavailable`, …). */
export async function openStore(
  folder: DataFolder,
  configuration: Configuration,
  options: StoreOptions = {},
): Promise<Store> {
  const adapter = await import('../adapters/store/open-store.ts')
  return adapter.openStore({ url: storeUrl(folder, configuration) }, options)
}

/** Makes an empty store. Errors: `store.exists`, `store.unavailable`. */
export async function createStore(folder: DataFolder, configuration: Configuration): Promise<Store> {
  const adapter = await import('../adapters/store/open-store.ts')
  return adapter.createStore({ url: storeUrl(folder, configuration) })
}
