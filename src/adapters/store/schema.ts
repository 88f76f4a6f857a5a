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
      invalidity_date BIGINT,
      hold_ends_at BIGINT,
      crl_shard BIGINT NOT NULL,
      replaces_authority_id TEXT,
      replaces_serial_number BYTES,
      der BYTES NOT NULL
    )`,
    'CREATE UNIQUE INDEX certificate_serial_number ON certificate (serial_number, authority_id)',
    'CREATE INDEX certificate_device ON certificate (device_id, audit_index) WHERE device_id IS NOT NULL',
    'CREATE INDEX certificate_platform ON certificate (authority_id, profile, audit_index) WHERE device_id IS NULL',
    // Holds all that an entry of a CRL says: a list of a million is read from here alone.
    `CREATE INDEX certificate_not_good ON certificate
        (authority_id, crl_shard, serial_number, not_after, status, status_at, status_reason, invalidity_date)
      WHERE status <> 'good'`,
    'CREATE INDEX certificate_hold_end ON certificate (hold_ends_at, audit_index) WHERE hold_ends_at IS NOT NULL',
    // One row for each change of a certificate's status, where its entry stands in the log.
    `CREATE TABLE status_change (
      audit_index BIGINT NOT NULL PRIMARY KEY,
      authority_id TEXT NOT NULL,
      crl_shard BIGINT NOT NULL,
      serial_number BYTES NOT NULL
    )`,
    // Up to which second of issue the status artefact of an authority covers.
    `CREATE TABLE status_coverage (
      authority_id TEXT NOT NULL PRIMARY KEY,
      covered_until BIGINT NOT NULL
    ) CLUSTERED`,
    'CREATE INDEX status_change_authority ON status_change (authority_id, audit_index)',
    'CREATE INDEX status_change_shard ON status_change (authority_id, crl_shard, audit_index)',
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
      bytes BYTES,
      number BIGINT NOT NULL,
      this_update BIGINT NOT NULL,
      next_update BIGINT NOT NULL,
      octets BIGINT NOT NULL,
      sha256 BYTES NOT NULL,
      previous BIGINT NOT NULL
    )`,
    // What is too large for one row, under its number: the one that is served, the one before it, and those that are being made.
    `CREATE TABLE publication_piece (
      name TEXT NOT NULL,
      number BIGINT NOT NULL,
      piece BIGINT NOT NULL,
      bytes BYTES NOT NULL,
      PRIMARY KEY (name, number, piece)
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

const LIFE_IN_THE_FIELD: Migration = {
  version: 2,
  name: 'life-in-the-field',
  statements: [
    `CREATE TABLE credential (
      device_id BYTES NOT NULL,
      profile TEXT NOT NULL,
      authority_id TEXT NOT NULL,
      serial_number BYTES NOT NULL,
      key_id BYTES NOT NULL,
      key_algorithm TEXT NOT NULL,
      not_before BIGINT NOT NULL,
      not_after BIGINT NOT NULL,
      window_start BIGINT NOT NULL,
      window_end BIGINT NOT NULL,
      seen_at BIGINT,
      previous_authority_id TEXT,
      previous_serial_number BYTES,
      retire_at BIGINT,
      renewal_order TEXT,
      failures BIGINT NOT NULL,
      last_failure_code TEXT,
      last_failure_at BIGINT,
      revision BIGINT NOT NULL,
      PRIMARY KEY (device_id, profile)
    ) CLUSTERED`,
    'CREATE INDEX credential_profile ON credential (profile, device_id)',
    'CREATE INDEX credential_authority ON credential (authority_id, device_id, profile)',
    'CREATE INDEX credential_algorithm ON credential (key_algorithm, device_id, profile)',
    'CREATE INDEX credential_expiry ON credential (not_after, device_id, profile)',
    'CREATE INDEX credential_window ON credential (window_end, device_id, profile)',
    `CREATE INDEX credential_previous ON credential (retire_at, device_id, profile)
      WHERE previous_serial_number IS NOT NULL`,
    `CREATE TABLE renewal_plan (
      profile TEXT NOT NULL,
      measure TEXT NOT NULL,
      bucket BIGINT NOT NULL,
      planned BIGINT NOT NULL,
      PRIMARY KEY (profile, measure, bucket)
    ) CLUSTERED`,
    `CREATE TABLE device_health (
      device_id BYTES NOT NULL PRIMARY KEY,
      at BIGINT NOT NULL,
      sequence BIGINT NOT NULL,
      clock_skew_seconds BIGINT NOT NULL,
      firmware TEXT,
      configuration TEXT,
      agent_version TEXT,
      last_error TEXT
    ) CLUSTERED`,
    'CREATE INDEX device_health_firmware ON device_health (firmware, device_id)',
    'CREATE INDEX device_health_at ON device_health (at, device_id)',
    `CREATE TABLE device_property (
      device_id BYTES NOT NULL,
      name TEXT NOT NULL,
      value TEXT NOT NULL,
      personal BIGINT NOT NULL,
      salt BYTES,
      PRIMARY KEY (device_id, name)
    ) CLUSTERED`,
    'CREATE INDEX device_property_value ON device_property (name, value, device_id)',
    `CREATE TABLE key_holding (
      key_id BYTES NOT NULL PRIMARY KEY,
      place TEXT NOT NULL,
      protection TEXT NOT NULL,
      attestation TEXT NOT NULL,
      at BIGINT NOT NULL
    ) CLUSTERED`,
    `CREATE TABLE device_statement (
      sha256 BYTES NOT NULL PRIMARY KEY,
      device_id BYTES NOT NULL,
      kind TEXT NOT NULL,
      bytes BYTES NOT NULL,
      at BIGINT NOT NULL
    )`,
    'CREATE INDEX device_statement_device ON device_statement (device_id, at, sha256)',
    `CREATE TABLE suspension (
      device_id BYTES NOT NULL PRIMARY KEY,
      at BIGINT NOT NULL,
      came_from TEXT NOT NULL,
      certificates TEXT NOT NULL,
      keys TEXT NOT NULL
    ) CLUSTERED`,
    // What an authority issued, in order; with serial number and end, so that a million are read from the index alone.
    'CREATE INDEX certificate_universe ON certificate (authority_id, audit_index, serial_number, not_after)',
    'ALTER TABLE token ADD COLUMN cancelled_at BIGINT',
    'CREATE INDEX token_open ON token (device_id, id) WHERE used_at IS NULL AND cancelled_at IS NULL',
    `CREATE INDEX enrolment_open ON enrolment (device_id, created_at, digest)
      WHERE state IN ('pending', 'approved') AND device_id IS NOT NULL`,
    `CREATE TABLE ownership_transfer (
      id BYTES NOT NULL PRIMARY KEY,
      device_id BYTES NOT NULL,
      from_owner TEXT,
      to_owner TEXT NOT NULL,
      effective_at BIGINT NOT NULL,
      new_key BIGINT NOT NULL,
      state TEXT NOT NULL,
      state_changed_at BIGINT NOT NULL,
      agreements TEXT NOT NULL,
      created_at BIGINT NOT NULL
    )`,
    'CREATE INDEX ownership_transfer_device ON ownership_transfer (device_id, created_at, id)',
    `CREATE UNIQUE INDEX ownership_transfer_under_way ON ownership_transfer (device_id)
      WHERE state IN ('proposed', 'accepted')`,
    "CREATE INDEX ownership_transfer_due ON ownership_transfer (effective_at, id) WHERE state = 'accepted'",
    `CREATE TABLE campaign (
      id BYTES NOT NULL PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      query TEXT NOT NULL,
      target TEXT NOT NULL,
      pace TEXT NOT NULL,
      state TEXT NOT NULL,
      state_reason TEXT,
      devices BIGINT NOT NULL,
      waves BIGINT NOT NULL,
      wave BIGINT NOT NULL,
      created_at BIGINT NOT NULL,
      started_at BIGINT,
      finished_at BIGINT,
      hour_since BIGINT,
      hour_asked BIGINT,
      revision BIGINT NOT NULL
    )`,
    `CREATE INDEX campaign_at_work ON campaign (id)
      WHERE state IN ('running', 'paused', 'cancelling', 'rolling_back')`,
    `CREATE TABLE campaign_device (
      campaign_id BYTES NOT NULL,
      device_id BYTES NOT NULL,
      wave BIGINT NOT NULL,
      state TEXT NOT NULL,
      state_changed_at BIGINT NOT NULL,
      reason TEXT,
      before_profile TEXT,
      before_authority_id TEXT,
      before_key_algorithm TEXT,
      PRIMARY KEY (campaign_id, device_id)
    ) CLUSTERED`,
    'CREATE INDEX campaign_device_state ON campaign_device (campaign_id, state, wave, state_changed_at, device_id)',
    `CREATE TABLE campaign_count (
      campaign_id BYTES NOT NULL,
      wave BIGINT NOT NULL,
      state TEXT NOT NULL,
      devices BIGINT NOT NULL,
      PRIMARY KEY (campaign_id, wave, state)
    ) CLUSTERED`,
  ],
}

/** What is wrong and who is told. */
const ALERTS: Migration = {
  version: 4,
  name: 'alerts',
  statements: [
    `CREATE TABLE alert (
      id BYTES NOT NULL PRIMARY KEY,
      alert_key TEXT NOT NULL,
      rule TEXT NOT NULL,
      subject TEXT NOT NULL,
      started_at BIGINT NOT NULL,
      severity TEXT NOT NULL,
      kind TEXT NOT NULL,
      summary TEXT NOT NULL,
      measured BIGINT,
      state TEXT NOT NULL,
      changed_at BIGINT NOT NULL,
      acknowledged_by TEXT,
      acknowledged_at BIGINT,
      note TEXT,
      silenced_until BIGINT,
      notified_at BIGINT,
      occurrences BIGINT NOT NULL,
      revision BIGINT NOT NULL
    )`,
    // Of one thing that is wrong there is one alert, whichever process found it.
    "CREATE UNIQUE INDEX alert_open ON alert (alert_key) WHERE state <> 'resolved'",
    "CREATE INDEX alert_resolved ON alert (changed_at, id) WHERE state = 'resolved'",
    'CREATE INDEX alert_state ON alert (state, id)',
    `CREATE TABLE delivery (
      id BYTES NOT NULL PRIMARY KEY,
      channel TEXT NOT NULL,
      notice TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      state TEXT NOT NULL,
      attempts BIGINT NOT NULL,
      due_at BIGINT NOT NULL,
      last_error TEXT,
      revision BIGINT NOT NULL
    )`,
    "CREATE INDEX delivery_due ON delivery (due_at, id) WHERE state = 'waiting'",
    "CREATE INDEX delivery_dead ON delivery (id) WHERE state = 'dead'",
  ],
}

const ACCESS: Migration = {
  version: 3,
  name: 'access',
  statements: [
    `CREATE TABLE operator (
      id TEXT NOT NULL PRIMARY KEY,
      name TEXT NOT NULL,
      email TEXT UNIQUE,
      state TEXT NOT NULL,
      roles TEXT NOT NULL,
      password_hash TEXT,
      totp TEXT,
      oidc TEXT UNIQUE,
      oidc_salt TEXT,
      created_at BIGINT NOT NULL,
      revision BIGINT NOT NULL
    )`,
    'CREATE INDEX operator_created ON operator (created_at, id)',
    `CREATE TABLE passkey (
      id BYTES NOT NULL PRIMARY KEY,
      operator_id TEXT NOT NULL,
      public_key BYTES NOT NULL,
      sign_count BIGINT NOT NULL,
      name TEXT NOT NULL,
      transports TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      last_used_at BIGINT
    )`,
    'CREATE INDEX passkey_operator ON passkey (operator_id, created_at, id)',
    `CREATE TABLE session (
      id TEXT NOT NULL PRIMARY KEY,
      secret_hash BYTES NOT NULL UNIQUE,
      operator_id TEXT NOT NULL,
      method TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      seen_at BIGINT NOT NULL,
      address TEXT NOT NULL,
      agent TEXT NOT NULL
    )`,
    'CREATE INDEX session_operator ON session (operator_id, created_at, id)',
    'CREATE INDEX session_created ON session (created_at)',
    `CREATE TABLE sign_in_link (
      name TEXT NOT NULL PRIMARY KEY,
      secret_hash BYTES NOT NULL UNIQUE,
      created_at BIGINT NOT NULL,
      expires_at BIGINT NOT NULL
    )`,
    'CREATE INDEX sign_in_link_expiry ON sign_in_link (expires_at)',
    `CREATE TABLE spent_proof (
      digest BYTES NOT NULL PRIMARY KEY,
      expires_at BIGINT NOT NULL
    )`,
    'CREATE INDEX spent_proof_expiry ON spent_proof (expires_at)',
    `CREATE TABLE api_token (
      id TEXT NOT NULL PRIMARY KEY,
      secret_hash BYTES NOT NULL UNIQUE,
      operator_id TEXT NOT NULL,
      name TEXT NOT NULL,
      permissions TEXT NOT NULL,
      scope TEXT NOT NULL,
      created_at BIGINT NOT NULL,
      expires_at BIGINT NOT NULL,
      last_used_at BIGINT,
      revoked_at BIGINT
    )`,
    'CREATE INDEX api_token_created ON api_token (created_at, id)',
    'CREATE INDEX api_token_operator ON api_token (operator_id, created_at, id)',
    `CREATE TABLE approval (
      id TEXT NOT NULL PRIMARY KEY,
      act TEXT NOT NULL,
      parameters TEXT NOT NULL,
      summary TEXT NOT NULL,
      requested_by TEXT NOT NULL,
      requested_at BIGINT NOT NULL,
      expires_at BIGINT NOT NULL,
      quorum BIGINT NOT NULL,
      approvals TEXT NOT NULL,
      state TEXT NOT NULL,
      state_changed_at BIGINT NOT NULL,
      outcome TEXT,
      revision BIGINT NOT NULL
    )`,
    'CREATE INDEX approval_requested ON approval (requested_at, id)',
    'CREATE INDEX approval_state ON approval (state, requested_at, id)',
    'CREATE INDEX approval_expiry ON approval (state, expires_at, id)',
  ],
}

/** What the REST API asks for: rates and counts without a scan, the timeline of a device, and answers that are given twice. */
const REST_API: Migration = {
  version: 5,
  name: 'rest-api',
  statements: [
    `CREATE TABLE activity (
      hour BIGINT NOT NULL,
      measure TEXT NOT NULL,
      code TEXT NOT NULL,
      amount BIGINT NOT NULL,
      PRIMARY KEY (hour, measure, code)
    ) CLUSTERED`,
    `CREATE TABLE device_count (
      state TEXT NOT NULL PRIMARY KEY,
      devices BIGINT NOT NULL
    ) CLUSTERED`,
    // Once, for a registry that was there before: from then on every change keeps the count.
    'INSERT INTO device_count (state, devices) SELECT state, COUNT(*) FROM device GROUP BY state',
    `CREATE TABLE device_entry (
      device_id BYTES NOT NULL,
      entry_index BIGINT NOT NULL,
      PRIMARY KEY (device_id, entry_index)
    ) CLUSTERED`,
    `CREATE TABLE kept_answer (
      id BYTES NOT NULL PRIMARY KEY,
      request_digest BYTES NOT NULL,
      sealed BYTES,
      begun_at BIGINT NOT NULL,
      expires_at BIGINT NOT NULL
    )`,
    'CREATE INDEX kept_answer_expiry ON kept_answer (expires_at)',
    `CREATE TABLE job (
      id BYTES NOT NULL PRIMARY KEY,
      act TEXT NOT NULL,
      parameters TEXT NOT NULL,
      requested_by TEXT NOT NULL,
      state TEXT NOT NULL,
      done BIGINT NOT NULL,
      changed BIGINT NOT NULL,
      failed BIGINT NOT NULL,
      total BIGINT,
      place TEXT,
      failures TEXT NOT NULL,
      outcome TEXT,
      lease_until BIGINT NOT NULL,
      created_at BIGINT NOT NULL,
      finished_at BIGINT,
      revision BIGINT NOT NULL
    )`,
    "CREATE INDEX job_at_work ON job (id) WHERE state = 'running'",
  ],
}

/** In order; each database has run a prefix of this list. */
export const MIGRATIONS: readonly Migration[] = [FOUNDATION, LIFE_IN_THE_FIELD, ACCESS, ALERTS, REST_API]
