// The schema, as numbered migrations that are never edited once released: their checksum is in every database that ran them.
// Octets that the domain spells in hexadecimal (ids, serial numbers, digests) are stored as octets. Ids grow with time, so that the
// rows of a batch lie beside each other; the one random key is that of `device_key.id`.

export interface Migration {
  readonly version: number
  readonly name: string
  readonly statements: readonly string[]
}

const FOUNDATION: Migration = {
  version: 1,
  name: 'foundation',
  statements: [
    // One row: what every commit reads, moves on and writes back. On PostgreSQL its lock is the one sequencer of the log.
    `CREATE TABLE head (
      id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
      changes BIGINT NOT NULL,
      configuration_changes BIGINT NOT NULL,
      devices BIGINT NOT NULL,
      certificates BIGINT NOT NULL,
      log_size BIGINT NOT NULL,
      log_root BYTES NOT NULL
    )`,
    `CREATE TABLE log_entry (
      entry_index BIGINT NOT NULL PRIMARY KEY,
      bytes BYTES NOT NULL
    )`,
    `CREATE TABLE log_tile (
      level BIGINT NOT NULL,
      tile_index BIGINT NOT NULL,
      hashes BYTES NOT NULL,
      PRIMARY KEY (level, tile_index)
    )`,
    `CREATE TABLE log_checkpoint (
      size BIGINT NOT NULL PRIMARY KEY,
      note TEXT NOT NULL,
      signed_at BIGINT NOT NULL
    )`,
    `CREATE TABLE device (
      id BYTES NOT NULL PRIMARY KEY,
      model TEXT NOT NULL,
      serial_number TEXT NOT NULL,
      state TEXT NOT NULL,
      batch_id BYTES,
      created_at BIGINT NOT NULL,
      state_changed_at BIGINT NOT NULL,
      labels TEXT NOT NULL
    ) CLUSTERED`,
    'CREATE UNIQUE INDEX device_serial_number ON device (model, serial_number)',
    'CREATE INDEX device_batch ON device (batch_id, id) WHERE batch_id IS NOT NULL',
    `CREATE TABLE device_key (
      device_id BYTES NOT NULL,
      id BYTES NOT NULL,
      algorithm TEXT NOT NULL,
      origin TEXT NOT NULL,
      state TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      state_changed_at BIGINT NOT NULL,
      PRIMARY KEY (device_id, id)
    ) CLUSTERED`,
    'CREATE UNIQUE INDEX device_key_id ON device_key (id)',
    // In the order of issue, which is the order of the log: each certificate lies where its entry stands.
    `CREATE TABLE certificate (
      audit_index BIGINT NOT NULL PRIMARY KEY,
      authority_id TEXT NOT NULL,
      serial_number BYTES NOT NULL,
      device_id BYTES,
      key_id BYTES NOT NULL,
      profile TEXT NOT NULL,
      profile_version BIGINT NOT NULL,
      not_before BIGINT NOT NULL,
      not_after BIGINT NOT NULL,
      status TEXT NOT NULL,
      status_at BIGINT,
      status_reason TEXT,
      crl_shard BIGINT NOT NULL,
      replaces_authority_id TEXT,
      replaces_serial_number BYTES,
      der BYTES NOT NULL
    )`,
    'CREATE UNIQUE INDEX certificate_serial_number ON certificate (serial_number, authority_id)',
    'CREATE INDEX certificate_device ON certificate (device_id, audit_index) WHERE device_id IS NOT NULL',
    'CREATE INDEX certificate_platform ON certificate (authority_id, profile, audit_index) WHERE device_id IS NULL',
    `CREATE INDEX certificate_not_good ON certificate (authority_id, crl_shard, serial_number, not_after)
      WHERE status <> 'good'`,
    `CREATE TABLE token (
      id BYTES NOT NULL PRIMARY KEY,
      secret_hash BYTES NOT NULL UNIQUE,
      device_id BYTES NOT NULL,
      profile TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      expires_at BIGINT NOT NULL,
      used_at BIGINT
    ) CLUSTERED`,
    `CREATE TABLE enrolment (
      digest BYTES NOT NULL PRIMARY KEY,
      protocol TEXT NOT NULL,
      profile TEXT NOT NULL,
      device_id BYTES,
      serial_number_claimed TEXT NOT NULL,
      rule TEXT NOT NULL,
      csr BYTES NOT NULL,
      state TEXT NOT NULL,
      state_at BIGINT,
      state_by TEXT,
      state_reason TEXT,
      issued_authority_id TEXT,
      issued_serial_number BYTES,
      created_at BIGINT NOT NULL
    )`,
    'CREATE INDEX enrolment_state ON enrolment (state, created_at, digest)',
    `CREATE TABLE quota (
      counter TEXT NOT NULL PRIMARY KEY,
      taken BIGINT NOT NULL
    )`,
    `CREATE TABLE batch (
      id BYTES NOT NULL PRIMARY KEY,
      input_digest TEXT NOT NULL UNIQUE,
      profile TEXT NOT NULL,
      state TEXT NOT NULL,
      done BIGINT NOT NULL,
      issued BIGINT NOT NULL,
      existing BIGINT NOT NULL,
      rejected BIGINT NOT NULL,
      created_at BIGINT NOT NULL,
      finished_at BIGINT
    )`,
    `CREATE TABLE authority (
      id TEXT NOT NULL PRIMARY KEY,
      kind TEXT NOT NULL,
      state TEXT NOT NULL,
      certificate BYTES,
      issuer TEXT,
      chain_above BYTES NOT NULL,
      key_uri TEXT NOT NULL,
      generation BIGINT NOT NULL,
      crl_shards BIGINT NOT NULL,
      created_at BIGINT NOT NULL
    )`,
    `CREATE TABLE document (
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      version BIGINT NOT NULL,
      body TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      PRIMARY KEY (kind, name, version)
    )`,
    `CREATE TABLE publication (
      name TEXT NOT NULL PRIMARY KEY,
      content_type TEXT NOT NULL,
      bytes BYTES NOT NULL,
      number BIGINT NOT NULL,
      this_update BIGINT NOT NULL,
      next_update BIGINT NOT NULL
    )`,
    // One row for each topic and key there ever was; there is work where more was asked for than was done.
    `CREATE TABLE work (
      topic TEXT NOT NULL,
      key TEXT NOT NULL,
      due_at BIGINT NOT NULL,
      version BIGINT NOT NULL,
      leased_version BIGINT NOT NULL,
      lease_until BIGINT NOT NULL,
      done_version BIGINT NOT NULL,
      PRIMARY KEY (topic, key)
    )`,
    'CREATE INDEX work_due ON work (topic, due_at) WHERE version > done_version',
  ],
}

/** In order; each database has run a prefix of this list. */
export const MIGRATIONS: readonly Migration[] = [FOUNDATION]
