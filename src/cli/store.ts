// Opens the store of a data folder for one command and closes it again. Commands that only look things up load no policy and no
// key store: they answer in the time that opening a database takes.
import type { Clock, Store } from '../domain/ports.ts'
import { type DataFolder, readConfiguration } from '../server/data-folder.ts'
import { openStore } from '../server/open-store.ts'

export async function withStore<T>(data: DataFolder, use: (store: Store) => Promise<T>): Promise<T> {
  const configuration = await readConfiguration(data)
  await using store = await openStore(data, configuration)
  return await use(store)
}

/** The wall clock in whole seconds. */
export const systemClock: Clock = { now: () => Math.floor(Date.now() / 1000) }
