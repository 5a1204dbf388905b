-- Messages taken and not looked at yet: one row per transaction, whatever it took, so that accepting costs no index. A
-- message's own row comes when its fate is known ("filed"); a row here goes when all of its messages are filed. There
-- are never many, so they may be looked through from end to end.
-- id, last: first and last seq. work: the last work id. facts: a JSON array per message, see `engine.store.arrivals`.
-- crc: of all of these, since a row that the disk has altered would take many messages along.
CREATE TABLE arrivals (
  id    INTEGER PRIMARY KEY,
  last  INTEGER NOT NULL,
  work  INTEGER NOT NULL,
  crc   INTEGER NOT NULL,
  facts TEXT NOT NULL
) STRICT;

CREATE VIEW arrived AS
SELECT block.id AS first, block.last AS last, f.value ->> 1 AS work, f.value AS facts,
       f.value ->> 0 AS seq, 'in' AS direction, f.value ->> 2 AS channel, f.value ->> 3 AS partner,
       f.value ->> 4 AS format, f.value ->> 5 AS type, f.value ->> 6 AS control_id, f.value ->> 7 AS sender,
       f.value ->> 8 AS at, f.value ->> 9 AS size, f.value ->> 10 AS sha256, 'received' AS state, NULL AS duplicate_of,
       coalesce((SELECT version FROM sites WHERE id = f.value ->> 11), '') AS site, f.value ->> 12 AS warnings,
       f.value ->> 13 AS lane, f.value ->> 14 AS priority
FROM arrivals AS block CROSS JOIN json_each(block.facts) AS f
WHERE NOT EXISTS (SELECT 1 FROM messages WHERE messages.seq = f.value ->> 0);
