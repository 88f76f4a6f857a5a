// Both engines against the models in memory, over many more histories and queries than `npm test` asks (test/adapters/store).
import { describe, test } from 'node:test'
import { openStore } from '../../src/adapters/store/open-store.ts'
import { behavesLikeTheModel } from '../adapters/store/model.ts'
import { selectsLikeTheModel } from '../adapters/store/selection-model.ts'
import { assertInvariants } from '../support/invariants.ts'
import { storeEngines } from '../support/store-engines.ts'

const HISTORIES = 120
const QUERIES = 2_500

const { sqlite, postgres } = storeEngines()
for (const [name, engine] of [
  ['SQLite', sqlite],
  ['PostgreSQL', postgres],
] as const) {
  describe(`Store on ${name}`, () => {
    test('behaves like a model in memory, whatever is asked in whatever grouping', async () => {
      const twoStores = async () => {
        const location = await engine.emptyStore()
        return [await openStore(location), await openStore(location)]
      }
      await behavesLikeTheModel(twoStores, assertInvariants, HISTORIES)
    })

    test('selects devices like a model in memory, whatever is asked', async () => {
      await using store = await openStore(await engine.emptyStore())
      await selectsLikeTheModel(store, QUERIES)
    })
  })
}
