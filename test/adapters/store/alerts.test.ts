// The contract of alerts and their notices, on both engines.
import { storeEngines } from '../../support/store-engines.ts'
import { alertContract } from './alert-contract.ts'

const { sqlite, postgres } = storeEngines()
alertContract('SQLite', sqlite)
alertContract('PostgreSQL', postgres)
