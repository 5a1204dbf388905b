-- The store's first shape. Times are microseconds since the Unix epoch, UTC. Every b-tree here is paid for by each
-- accepted message or each delivery, so an index stands only where a hot query needs it.

-- Site versions seen. Messages refer to them by number; the snapshot comes when the daemon keeps it.
CREATE TABLE sites (
  id       INTEGER PRIMARY KEY,
  version  TEXT NOT NULL UNIQUE,
  snapshot BLOB
) STRICT;

-- Narrow on purpose: searching history must not page through bodies. `dedup` is a digest of partner and duplicate key;
-- only the first of its kind carries it, so it is unique where it is not null.
CREATE TABLE messages (
  seq          INTEGER PRIMARY KEY,
  direction    TEXT NOT NULL,
  channel      TEXT NOT NULL,
  partner      TEXT NOT NULL,
  format       TEXT NOT NULL,
  type         TEXT NOT NULL,
  control_id   TEXT NOT NULL,
  dedup        BLOB,
  sender       TEXT NOT NULL,
  at           INTEGER NOT NULL,
  size         INTEGER NOT NULL,
  sha256       BLOB NOT NULL,
  state        TEXT NOT NULL,
  rule         TEXT NOT NULL,
  duplicate_of INTEGER,
  site         INTEGER,
  warnings     TEXT NOT NULL,
  lane         TEXT NOT NULL,
  priority     INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_by_control_id ON messages (control_id, dedup);

CREATE VIEW message_facts AS
SELECT seq, direction, channel, partner, format, type, control_id, sender, at, size, sha256, state, duplicate_of,
       coalesce((SELECT version FROM sites WHERE id = messages.site), '') AS site, warnings, lane, priority
FROM messages;

-- A body in chunks of 1 MiB: id = seq * 4096 + chunk. A rowid table, since index b-trees spill at a quarter page.
-- codec 0: the bytes as they are.
CREATE TABLE bodies (
  id    INTEGER PRIMARY KEY,
  codec INTEGER NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE keys (
  value TEXT NOT NULL,
  kind  TEXT NOT NULL,
  scope TEXT NOT NULL,
  seq   INTEGER NOT NULL,
  PRIMARY KEY (value, kind, scope, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_seq ON keys (seq);

CREATE TABLE edges (
  source INTEGER NOT NULL,
  target INTEGER NOT NULL,
  kind   TEXT NOT NULL,
  PRIMARY KEY (source, target, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_by_target ON edges (target);

CREATE TABLE documents (
  id      INTEGER PRIMARY KEY,
  message INTEGER NOT NULL,
  type    TEXT NOT NULL,
  number  TEXT NOT NULL,
  summary TEXT NOT NULL, -- for people; whoever looks need not understand the body
  body    TEXT NOT NULL,
  place   TEXT NOT NULL
) STRICT;
CREATE INDEX documents_by_message ON documents (message);

CREATE TABLE deliveries (
  id                 INTEGER PRIMARY KEY,
  uid                TEXT NOT NULL UNIQUE,
  message            INTEGER NOT NULL,
  document           INTEGER,
  replaces           INTEGER,
  destination        TEXT NOT NULL,
  connection         TEXT NOT NULL,
  type               TEXT NOT NULL,
  lane               TEXT NOT NULL,
  priority           INTEGER NOT NULL,
  state              TEXT NOT NULL,
  attempts           INTEGER NOT NULL,
  created_at         INTEGER NOT NULL,
  possible_duplicate INTEGER NOT NULL,
  options            TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_by_message ON deliveries (message);
CREATE INDEX deliveries_by_document ON deliveries (document) WHERE document IS NOT NULL;

CREATE TABLE attempts (
  delivery INTEGER NOT NULL,
  number   INTEGER NOT NULL,
  started  INTEGER NOT NULL,
  ms       INTEGER NOT NULL,
  outcome  TEXT NOT NULL,
  code     TEXT NOT NULL,
  text     TEXT NOT NULL,
  PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- due_at is 0 until the delivery has arrived; check_at is when its deadline work is due, null when there is none.
CREATE TABLE acknowledgements (
  id         INTEGER PRIMARY KEY,
  delivery   INTEGER NOT NULL,
  message    INTEGER NOT NULL,
  partner    TEXT NOT NULL,
  kind       TEXT NOT NULL,
  ref        TEXT NOT NULL,
  state      TEXT NOT NULL,
  code       TEXT NOT NULL,
  within     INTEGER NOT NULL,
  due_at     INTEGER NOT NULL,
  check_at   INTEGER,
  settled_at INTEGER NOT NULL,
  by         INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX acknowledgements_by_ref ON acknowledgements (partner, kind, ref);
CREATE INDEX acknowledgements_by_delivery ON acknowledgements (delivery);
CREATE INDEX acknowledgements_open ON acknowledgements (due_at) WHERE state IN ('awaited', 'overdue');
CREATE INDEX acknowledgements_to_check ON acknowledgements (check_at) WHERE check_at IS NOT NULL;

CREATE TABLE exceptions (
  id          INTEGER PRIMARY KEY,
  code        TEXT NOT NULL,
  text        TEXT NOT NULL,
  place       TEXT NOT NULL,
  context     TEXT NOT NULL,
  state       TEXT NOT NULL,
  message     INTEGER,
  delivery    INTEGER,
  acknowledgement INTEGER, -- the one whose deadline passed
  opened_at   INTEGER NOT NULL,
  resolved_at INTEGER,
  reason      TEXT NOT NULL,
  who         TEXT NOT NULL
) STRICT;
CREATE INDEX exceptions_open ON exceptions (id) WHERE state = 'open';
CREATE INDEX exceptions_by_message ON exceptions (message);
CREATE INDEX exceptions_by_acknowledgement ON exceptions (acknowledgement) WHERE acknowledgement IS NOT NULL;
CREATE INDEX exceptions_by_delivery ON exceptions (delivery) WHERE delivery IS NOT NULL;

-- Work still to do; a row goes when it is done. Deadlines are not here: they are acknowledgements with a check_at.
CREATE TABLE work (
  id       INTEGER PRIMARY KEY,
  kind     TEXT NOT NULL,
  lane     TEXT NOT NULL,
  priority INTEGER NOT NULL,
  due_at   INTEGER NOT NULL,
  subject  INTEGER NOT NULL,
  step     TEXT NOT NULL
) STRICT;

-- kind `control`: the last control number given. kind `tally`: counts for stats. kind `id`: the last id of a table whose
-- rows are deleted. kind `store`: `commit` numbers the transactions, `clean` is 1 when the store was closed in order.
CREATE TABLE counters (
  kind  TEXT NOT NULL,
  name  TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  who     TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason  TEXT NOT NULL
) STRICT;
