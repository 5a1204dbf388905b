-- Every statement the store runs, by name. `{rows}` stands for as many rows of values as are written at once; its
-- columns are column1, column2 ...

-- ===== writing ======================================================================================================

-- name: add_messages
INSERT INTO messages (seq, direction, channel, partner, format, type, control_id, dedup, sender, at, size, sha256, state,
                      rule, duplicate_of, site, warnings, lane, priority)
{rows}

-- name: add_arrivals
INSERT INTO arrivals (id, last, work, crc, facts) {rows}

-- name: drop_arrivals
DELETE FROM arrivals WHERE id IN (SELECT value FROM json_each(?))

-- name: arrival_rows
SELECT id, last, work, crc, CAST(facts AS BLOB) FROM arrivals

-- name: bodies_without_message
SELECT id, bytes FROM bodies WHERE id >= ? AND NOT EXISTS (SELECT 1 FROM messages WHERE seq = bodies.id / 4096) ORDER BY id

-- name: arrivals
SELECT id, facts, EXISTS (SELECT 1 FROM messages WHERE seq BETWEEN id AND last) FROM arrivals ORDER BY id

-- name: filed
SELECT value ->> 0 FROM json_each(?) WHERE EXISTS (SELECT 1 FROM messages WHERE seq = value ->> 0)

-- name: add_bodies
INSERT INTO bodies (id, codec, bytes) {rows}

-- name: add_keys
INSERT OR IGNORE INTO keys (value, kind, scope, seq) {rows}

-- name: add_edges
INSERT OR IGNORE INTO edges (source, target, kind) {rows}

-- name: add_documents
INSERT INTO documents (id, message, type, number, summary, body, place) {rows}

-- name: add_deliveries
INSERT INTO deliveries (id, uid, message, document, replaces, destination, connection, type, lane, priority, state,
                        attempts, created_at, possible_duplicate, options)
{rows}

-- name: add_attempts
INSERT INTO attempts (delivery, number, started, ms, outcome, code, text) {rows}

-- name: add_acknowledgements
INSERT INTO acknowledgements (id, delivery, message, partner, kind, ref, state, code, within, due_at, check_at,
                              settled_at, by, created_at)
{rows}

-- name: add_exceptions
INSERT INTO exceptions (id, code, text, place, context, state, message, delivery, acknowledgement, opened_at, resolved_at,
                        reason, who)
{rows}

-- name: add_work
INSERT INTO work (id, kind, lane, priority, due_at, subject, step) {rows}

-- name: add_audit
INSERT INTO audit (at, who, action, subject, reason) {rows}

-- name: add_sites
INSERT INTO sites (id, version, snapshot) {rows}

-- name: set_counters
INSERT INTO counters (kind, name, value) {rows}
ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value

-- name: drop_work
DELETE FROM work WHERE id IN (SELECT value FROM json_each(?))

-- name: postpone_work
UPDATE work SET due_at = v.column2 FROM ({rows}) AS v WHERE work.id = v.column1

-- name: step_work
UPDATE work SET step = v.column2 FROM ({rows}) AS v WHERE work.id = v.column1

-- name: set_message_states
UPDATE messages SET state = v.column2, rule = v.column3, site = coalesce(v.column4, site),
                    warnings = coalesce(v.column5, warnings)
FROM ({rows}) AS v WHERE messages.seq = v.column1

-- name: set_delivery_states
UPDATE deliveries SET state = v.column2, attempts = attempts + v.column3,
                      possible_duplicate = max(possible_duplicate, v.column4)
FROM ({rows}) AS v WHERE deliveries.id = v.column1

-- name: settle_acknowledgements
UPDATE acknowledgements SET state = v.column2, code = v.column3, settled_at = v.column4, by = v.column5, check_at = NULL
FROM ({rows}) AS v WHERE acknowledgements.id = v.column1

-- name: await_acknowledgements
UPDATE acknowledgements SET due_at = :now + within, check_at = :now + within
WHERE delivery IN (SELECT value FROM json_each(:deliveries)) AND state = 'awaited'

-- name: set_dues
UPDATE acknowledgements SET due_at = v.column3, check_at = v.column3
FROM ({rows}) AS v WHERE acknowledgements.delivery = v.column1 AND kind = v.column2 AND state = 'awaited'

-- name: drop_acknowledgements
UPDATE acknowledgements SET state = 'not_expected', settled_at = :now, check_at = NULL
WHERE delivery IN (SELECT value FROM json_each(:deliveries)) AND state = :state

-- name: expect_acknowledgements_again
UPDATE acknowledgements SET state = 'awaited', code = '', settled_at = 0, due_at = 0, by = NULL
WHERE delivery IN (SELECT value FROM json_each(:deliveries)) AND state = :state

-- name: check_acknowledgements
UPDATE acknowledgements SET check_at = v.column2 FROM ({rows}) AS v WHERE acknowledgements.id = v.column1

-- name: resolve_exceptions
UPDATE exceptions SET state = 'resolved', resolved_at = v.column2, reason = v.column3, who = v.column4
FROM ({rows}) AS v WHERE exceptions.id = v.column1 AND exceptions.state = 'open'

-- name: resolve_deadline_exceptions
UPDATE exceptions SET state = 'resolved', resolved_at = :now, reason = :reason, who = 'hilum'
WHERE state = 'open' AND acknowledgement IS NOT NULL AND acknowledgement IN (SELECT value FROM json_each(:ids))

-- name: resolve_message_exceptions
UPDATE exceptions SET state = 'resolved', resolved_at = :now, reason = :reason, who = :who
WHERE message IN (SELECT value FROM json_each(:ids)) AND state = 'open'

-- name: resolve_delivery_exceptions
UPDATE exceptions SET state = 'resolved', resolved_at = :now, reason = :reason, who = :who
WHERE delivery IN (SELECT value FROM json_each(:ids)) AND state = 'open'

-- name: keep_site
UPDATE sites SET snapshot = ? WHERE version = ?

-- name: mark_possible_duplicates
UPDATE deliveries SET possible_duplicate = 1 WHERE id IN (SELECT subject FROM work WHERE kind = 'deliver')

-- name: mark_interrupted
UPDATE deliveries SET possible_duplicate = 1 WHERE id IN (SELECT value FROM json_each(?))

-- ===== what writing must know =======================================================================================

-- name: known_dedups
SELECT messages.dedup, messages.seq, messages.sha256
FROM ({rows}) AS v CROSS JOIN messages ON messages.control_id = v.column1 AND messages.dedup = v.column2

-- name: arrived_digests
SELECT seq, sha256 FROM (SELECT DISTINCT value AS block FROM json_each(:blocks)) AS near
CROSS JOIN arrived ON arrived.first = near.block WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: acknowledgement_states
SELECT id, state, delivery FROM acknowledgements WHERE id IN (SELECT value FROM json_each(?))

-- name: replaced_deliveries
SELECT id, message,
       CASE WHEN state <> 'gathering' AND EXISTS (SELECT 1 FROM edges WHERE source = message AND kind = 'carried')
            THEN 'sending' ELSE state END
FROM deliveries WHERE id IN (SELECT value FROM json_each(?))

-- name: gathering
SELECT id, message, document, created_at FROM deliveries
WHERE state = 'gathering' AND lane = :lane ORDER BY id LIMIT :limit

-- name: carried_deliveries
SELECT d.id, d.state FROM edges AS e CROSS JOIN deliveries AS d ON d.message = e.source
WHERE e.target = ? AND e.kind = 'carried' AND d.state <> 'replaced' ORDER BY d.id

-- name: next_check
SELECT min(check_at) FROM acknowledgements WHERE check_at IS NOT NULL

-- name: message_states
SELECT seq, state FROM messages WHERE seq IN (SELECT value FROM json_each(?))

-- name: overdue_of
SELECT id FROM acknowledgements WHERE delivery IN (SELECT value FROM json_each(?)) AND state = 'overdue'

-- name: delivery_work
SELECT id FROM work WHERE kind = 'deliver' AND subject = ?

-- name: gather_work
SELECT id FROM work
WHERE kind = 'process' AND subject IN (SELECT value FROM json_each(?)) AND step LIKE 'gather:%'

-- name: next_check_after
SELECT min(check_at) FROM acknowledgements WHERE check_at IS NOT NULL AND check_at > :now

-- name: counters
SELECT kind, name, value FROM counters

-- name: site_numbers
SELECT version, id FROM sites

-- name: replayable_messages
SELECT seq, lane, priority, state FROM messages
WHERE seq IN (SELECT value FROM json_each(?)) AND direction = 'in' AND state NOT IN ('received', 'duplicate')

-- name: resendable_deliveries
SELECT d.id, m.seq, m.lane, m.priority, m.state
FROM deliveries AS d CROSS JOIN edges AS e ON e.target = d.message AND e.kind = 'causes'
CROSS JOIN messages AS m ON m.seq = e.source
WHERE d.id IN (SELECT value FROM json_each(?)) AND d.state <> 'replaced'
  AND NOT EXISTS (SELECT 1 FROM work AS w WHERE w.kind = 'process' AND w.subject = m.seq AND w.step = 'resend:' || d.id)

-- name: replayable_deliveries
SELECT id, lane, priority, state FROM deliveries
WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('dead', 'held', 'delivered')
  AND (SELECT size FROM messages WHERE seq = deliveries.message) > 0
  AND NOT EXISTS (SELECT 1 FROM edges WHERE source = deliveries.message AND kind = 'carried')

-- name: last_ids
SELECT max((SELECT coalesce(max(seq), 0) FROM messages), (SELECT coalesce(max(last), 0) FROM arrivals)),
       (SELECT max(id) FROM documents), (SELECT max(id) FROM deliveries), (SELECT max(id) FROM acknowledgements),
       (SELECT max(id) FROM exceptions),
       max((SELECT coalesce(max(id), 0) FROM work), (SELECT coalesce(max(work), 0) FROM arrivals)),
       (SELECT max(id) FROM sites)

-- ===== work =========================================================================================================

-- name: work_page
SELECT id, lane, priority, due_at, subject, step FROM work WHERE id > :after AND kind = :kind ORDER BY id LIMIT :limit

-- name: arrived_page
SELECT work, lane, priority, at, seq, '' FROM arrived
WHERE first >= (SELECT id FROM arrivals WHERE work > :after ORDER BY id LIMIT 1) AND work > :after
ORDER BY first LIMIT :limit

-- name: due_acknowledgements
SELECT id, delivery, check_at FROM acknowledgements
WHERE check_at <= :now AND check_at IS NOT NULL ORDER BY check_at LIMIT :limit

-- ===== reading ======================================================================================================

-- name: messages_by_seq
SELECT * FROM message_facts WHERE seq IN (SELECT value FROM json_each(?))

-- name: arrivals_near
SELECT facts FROM arrivals WHERE id IN (
  SELECT block.id FROM json_each(?) AS wanted
  CROSS JOIN arrivals AS block ON block.id = (SELECT max(id) FROM arrivals WHERE id <= wanted.value)
  WHERE block.last >= wanted.value
)

-- name: site_versions
SELECT id, version FROM sites

-- name: body_chunks
SELECT bytes FROM bodies WHERE id BETWEEN :first AND :last ORDER BY id

-- name: bodies
SELECT bodies.id, bodies.bytes FROM json_each(?) AS wanted
CROSS JOIN bodies ON bodies.id BETWEEN wanted.value * 4096 AND wanted.value * 4096 + 4095
ORDER BY bodies.id

-- name: documents_by_id
SELECT id, message, type, number, summary, body, place FROM documents WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id

-- name: documents_by_message
SELECT id, message, type, number, summary, body, place FROM documents WHERE message IN (SELECT value FROM json_each(?)) ORDER BY id

-- A document stands under its own number among the keys of its message.
-- name: documents_spoken_of
SELECT needs.key, d.id, d.message, m.partner, d.body, sent.message, max(sent.id)
FROM json_each(:needs) AS needs
CROSS JOIN keys AS k ON k.value = needs.value ->> 1
CROSS JOIN documents AS d ON d.message = k.seq AND d.type = needs.value ->> 0 AND d.number = needs.value ->> 1
CROSS JOIN messages AS m ON m.seq = d.message
LEFT JOIN deliveries AS sent ON sent.document = d.id AND sent.destination = needs.value ->> 2
GROUP BY needs.key, d.id ORDER BY needs.key, d.id

-- name: newest_documents
SELECT needs.value ->> 0, needs.value ->> 1, max(d.id)
FROM json_each(:needs) AS needs
CROSS JOIN keys AS k ON k.value = needs.value ->> 1
CROSS JOIN documents AS d ON d.message = k.seq AND d.type = needs.value ->> 0 AND d.number = needs.value ->> 1
GROUP BY needs.key

-- name: deliveries_by_id
SELECT id, uid, message, destination, connection, type, lane, state, attempts, created_at, possible_duplicate, options,
       document, replaces
FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id

-- name: deliveries_by_message
SELECT id, uid, message, destination, connection, type, lane, state, attempts, created_at, possible_duplicate, options,
       document, replaces
FROM deliveries WHERE message IN (SELECT value FROM json_each(?)) ORDER BY id

-- name: delivery_by_uid
SELECT id FROM deliveries WHERE uid = ?

-- name: attempts_of
SELECT delivery, number, started, ms, outcome, code, text FROM attempts
WHERE delivery IN (SELECT value FROM json_each(?)) ORDER BY delivery, number

-- name: acknowledgements_of
SELECT id, delivery, message, partner, kind, ref, state, code, due_at, settled_at, by, created_at FROM acknowledgements
WHERE delivery IN (SELECT value FROM json_each(?)) ORDER BY id

-- name: acknowledgements_spoken_of
SELECT needs.key, a.id, a.delivery, a.message, a.partner, a.kind, a.ref, a.state, a.code, a.due_at, a.settled_at, a.by,
       a.created_at
FROM json_each(:needs) AS needs
CROSS JOIN acknowledgements AS a
        ON a.partner = needs.value ->> 0 AND a.kind = needs.value ->> 1 AND a.ref = needs.value ->> 2
UNION ALL
SELECT needs.key, a.id, a.delivery, a.message, a.partner, a.kind, a.ref, a.state, a.code, a.due_at, a.settled_at, a.by,
       a.created_at
FROM json_each(:needs) AS needs
CROSS JOIN acknowledgements AS a
        ON needs.value ->> 3 AND a.partner = needs.value ->> 0 AND a.kind = needs.value ->> 1
       AND a.ref >= (needs.value ->> 2) || '/' AND a.ref < (needs.value ->> 2) || '0'
UNION ALL
SELECT needs.key, coalesce(a.id, 0), d.id, d.message, d.destination, coalesce(a.kind, ''), coalesce(a.ref, ''),
       coalesce(a.state, ''), coalesce(a.code, ''), coalesce(a.due_at, 0), coalesce(a.settled_at, 0), a.by,
       coalesce(a.created_at, 0)
FROM json_each(:needs) AS needs
CROSS JOIN messages AS m ON needs.value ->> 4 AND m.seq = (
     SELECT max(seq) FROM messages
     WHERE control_id = needs.value ->> 2 AND partner = needs.value ->> 0 AND direction = 'out')
CROSS JOIN deliveries AS d ON d.message IN (
     SELECT source FROM edges WHERE target = m.seq AND kind = 'carried'
     UNION ALL SELECT m.seq WHERE NOT EXISTS (SELECT 1 FROM edges WHERE target = m.seq AND kind = 'carried'))
LEFT JOIN acknowledgements AS a ON a.delivery = d.id
ORDER BY 1, 2

-- name: awaited
SELECT id, delivery, message, partner, kind, ref, state, code, due_at, settled_at, by, created_at FROM acknowledgements
WHERE state IN ('awaited', 'overdue') AND due_at > 0 AND (:partner = '' OR partner = :partner)
  AND (:overdue_at = 0 OR due_at < :overdue_at) ORDER BY due_at LIMIT :limit

-- name: acknowledgements_by_id
SELECT id, delivery, message, partner, kind, ref, state, code, due_at, settled_at, by, created_at FROM acknowledgements
WHERE id IN (SELECT value FROM json_each(?))

-- name: exceptions_open
SELECT id, code, text, place, context, state, message, delivery, opened_at, resolved_at, reason FROM exceptions
WHERE state = 'open' AND id < :before ORDER BY id DESC LIMIT :limit

-- name: exceptions_any
SELECT id, code, text, place, context, state, message, delivery, opened_at, resolved_at, reason FROM exceptions
WHERE id < :before AND (:state = '' OR state = :state) ORDER BY id DESC LIMIT :limit

-- name: exceptions_by_id
SELECT id, code, text, place, context, state, message, delivery, opened_at, resolved_at, reason FROM exceptions
WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id DESC

-- name: exceptions_of
SELECT id, code, text, place, context, state, message, delivery, opened_at, resolved_at, reason FROM exceptions
WHERE message IN (SELECT value FROM json_each(:messages))
UNION
SELECT id, code, text, place, context, state, message, delivery, opened_at, resolved_at, reason FROM exceptions
WHERE delivery IS NOT NULL AND delivery IN (SELECT value FROM json_each(:deliveries))
ORDER BY 1

-- name: missed
SELECT partner, crosswalk, "table", way, word, sum(state = 'open'), sum(state <> 'open'), min(message), max(message),
       max(opened_at)
FROM (
  SELECT context ->> 'partner' AS partner, context ->> 'crosswalk' AS crosswalk, context ->> 'table' AS "table",
         context ->> 'way' AS way, context ->> 'word' AS word, state, message, opened_at
  FROM exceptions WHERE code IN ('map.miss', 'delivery.render') AND context ->> 'word' IS NOT NULL
)
WHERE (:partner = '' OR partner = :partner)
GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 7 DESC, 1, 2, 4, 5

-- name: site
SELECT snapshot FROM sites WHERE version = ?

-- ===== finding ======================================================================================================

-- name: find
SELECT m.* FROM message_facts AS m
WHERE m.seq < :before
  AND (:partner = '' OR m.partner = :partner) AND (:channel = '' OR m.channel = :channel)
  AND (:type = '' OR m.type = :type) AND (:state = '' OR m.state = :state)
  AND (:direction = '' OR m.direction = :direction)
  AND m.at >= :since AND (:until = 0 OR m.at < :until)
ORDER BY m.seq DESC LIMIT :limit

-- name: find_by_key
SELECT m.* FROM (
  SELECT seq FROM keys WHERE value = :key AND (:kind = '' OR kind = :kind)
  UNION SELECT seq FROM messages WHERE control_id = :key AND (:kind = '' OR :kind = 'control')
) AS named CROSS JOIN message_facts AS m ON m.seq = named.seq
WHERE m.seq < :before
  AND (:partner = '' OR m.partner = :partner) AND (:channel = '' OR m.channel = :channel)
  AND (:type = '' OR m.type = :type) AND (:state = '' OR m.state = :state)
  AND (:direction = '' OR m.direction = :direction)
  AND m.at >= :since AND (:until = 0 OR m.at < :until)
ORDER BY m.seq DESC LIMIT :limit

-- name: find_arrived
SELECT first, seq, direction, channel, partner, format, type, control_id, sender, at, size, sha256, state, duplicate_of, site,
       warnings, lane, priority
FROM arrived AS m
WHERE m.first < :before AND m.seq < :before
  AND (:partner = '' OR m.partner = :partner) AND (:channel = '' OR m.channel = :channel)
  AND (:type = '' OR m.type = :type) AND (:state = '' OR m.state = :state)
  AND (:direction = '' OR m.direction = :direction)
  AND m.at >= :since AND (:until = 0 OR m.at < :until)
ORDER BY m.first DESC

-- name: find_arrived_by_key
SELECT seq, direction, channel, partner, format, type, control_id, sender, at, size, sha256, state, duplicate_of, site, warnings,
       lane, priority
FROM (
  SELECT id FROM arrivals WHERE (:kind = '' OR :kind = 'control') AND instr(facts, :quoted)
  UNION SELECT (SELECT max(id) FROM arrivals WHERE id <= keys.seq) FROM keys
        WHERE value = :key AND (:kind = '' OR kind = :kind)
) AS near CROSS JOIN arrived AS m ON m.first = near.id
WHERE m.seq < :before
  AND (m.control_id = :key AND (:kind = '' OR :kind = 'control')
       OR m.seq IN (SELECT seq FROM keys WHERE value = :key AND (:kind = '' OR kind = :kind)))
  AND (:partner = '' OR m.partner = :partner) AND (:channel = '' OR m.channel = :channel)
  AND (:type = '' OR m.type = :type) AND (:state = '' OR m.state = :state)
  AND (:direction = '' OR m.direction = :direction)
  AND m.at >= :since AND (:until = 0 OR m.at < :until)
ORDER BY m.seq DESC LIMIT :limit

-- name: seqs_by_key
SELECT seq, kind FROM keys WHERE value = :word ORDER BY seq DESC LIMIT :limit

-- name: seqs_by_control_id
SELECT seq FROM messages WHERE control_id = :word
UNION ALL SELECT seq FROM (SELECT id FROM arrivals WHERE instr(facts, :quoted)) AS near
CROSS JOIN arrived ON arrived.first = near.id WHERE control_id = :word
ORDER BY seq DESC LIMIT :limit

-- name: seq_by_uid
SELECT message FROM deliveries WHERE uid = ?

-- ===== walking ======================================================================================================

-- name: walk_edges_down
SELECT DISTINCT target FROM edges WHERE source IN (SELECT value FROM json_each(:seqs)) LIMIT :limit

-- name: walk_edges_up
SELECT DISTINCT source FROM edges
WHERE target IN (SELECT value FROM json_each(:seqs)) AND (:all OR kind NOT IN ('carried', 'acknowledges')) LIMIT :limit

-- name: walk_documents
SELECT DISTINCT deliveries.message FROM documents CROSS JOIN deliveries ON deliveries.document = documents.id
WHERE documents.message IN (SELECT value FROM json_each(:seqs)) AND deliveries.document IS NOT NULL LIMIT :limit

-- name: walk_deliveries
SELECT DISTINCT documents.message FROM deliveries CROSS JOIN documents ON documents.id = deliveries.document
WHERE deliveries.message IN (SELECT value FROM json_each(:seqs)) LIMIT :limit

-- name: keys_of
SELECT seq, kind, value, scope FROM keys WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq, kind, value, scope

-- name: walk_keys
SELECT DISTINCT keys.seq FROM json_each(:keys) AS k CROSS JOIN keys
    ON keys.value = k.value ->> 1 AND keys.kind = k.value ->> 0 AND keys.scope = k.value ->> 2
LIMIT :limit

-- name: edges_among
SELECT source, target, kind FROM edges
WHERE source IN (SELECT value FROM json_each(:seqs)) AND target IN (SELECT value FROM json_each(:seqs))
ORDER BY source, target, kind

-- ===== counting (tests only: these read everything) ================================================================

-- name: ledger
WITH caused AS (
  SELECT e.source AS seq, d.id, d.state
  FROM edges AS e JOIN deliveries AS d ON d.message = e.target WHERE e.kind = 'causes'
),
troubled AS (
  SELECT message AS seq FROM exceptions WHERE state = 'open' AND message IS NOT NULL AND delivery IS NULL
  UNION SELECT caused.seq FROM caused JOIN exceptions AS x ON x.delivery = caused.id WHERE x.state = 'open'
  UNION SELECT seq FROM caused
        WHERE state = 'dead' AND NOT EXISTS (SELECT 1 FROM exceptions AS x WHERE x.delivery = caused.id)
),
moving AS (
  SELECT seq FROM caused WHERE state NOT IN ('delivered', 'dead', 'replaced')
  UNION SELECT subject FROM work WHERE kind = 'process'
)
SELECT 'received' AS fate, coalesce(sum(value), 0) FROM counters WHERE kind = 'tally' AND name = 'received'
UNION ALL
SELECT CASE
         WHEN state NOT IN ('received', 'processed', 'filtered', 'exception', 'duplicate') THEN NULL
         WHEN state = 'duplicate' THEN 'duplicate'
         WHEN seq IN (SELECT seq FROM troubled) THEN 'exception'
         WHEN state = 'received' OR seq IN (SELECT seq FROM moving) THEN 'in_flight'
         WHEN state = 'filtered' THEN 'filtered'
         WHEN state = 'processed' OR state = 'exception' AND seq IN (SELECT message FROM exceptions) THEN 'delivered'
       END AS found, count(*)
FROM (
  SELECT seq, state FROM messages WHERE direction = 'in' UNION ALL SELECT seq, state FROM arrived
) GROUP BY found HAVING found IS NOT NULL
