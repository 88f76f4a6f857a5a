// The contract of the store about revocation, on both engines.
import { storeEngines } from '../../support/store-engines.ts'
import { revocationContract } from './revocation-contract.ts'

const { sqlite, postgres } = storeEngines()
revocationContract('SQLite', sqlite)
revocationContract('PostgreSQL', postgres)
