package outbox

// Every statement of this package. An integration test has the real server parse each of them.
const (
	insertSQL = `
		INSERT INTO outbox (event_id, type, record, actor, subject, before_state, after_state, create_time, trace)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`

	// pendingSQL has no cursor: a transaction that commits late has a number below those that were read before it.
	pendingSQL = `
		SELECT id, event_id, type, record, actor, before_state, after_state, create_time, trace
		FROM outbox WHERE publish_time IS NULL ORDER BY id LIMIT ?`

	// markSQL takes the numbers as a JSON array and finds each row by its key, so that it waits for no row of a writer.
	markSQL = `
		UPDATE JSON_TABLE(?, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$')) AS done STRAIGHT_JOIN outbox ON outbox.id = done.id
		SET outbox.publish_time = ?`

	purgeSQL = `
		DELETE FROM outbox WHERE publish_time < ? ORDER BY publish_time LIMIT ?`

	// backlogSQL counts no further than its bound. The age is 0 without a backlog.
	backlogSQL = `
		SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE publish_time IS NULL LIMIT ?) AS waiting),
			COALESCE((SELECT TIMESTAMPDIFF(MICROSECOND, create_time, UTC_TIMESTAMP(6))
				FROM outbox WHERE publish_time IS NULL ORDER BY id LIMIT 1), 0)`

	aboutSQL = `
		SELECT id, event_id, type, record, actor, before_state, after_state, create_time, publish_time
		FROM outbox WHERE subject = ? AND id > ? ORDER BY id LIMIT ?`

	countAboutSQL = `SELECT COUNT(*) FROM outbox WHERE subject = ?`

	// eraseSQL leaves the event, so that subscribers still learn that the record has changed.
	eraseSQL = `
		UPDATE outbox SET actor = '', subject = '', before_state = NULL, after_state = NULL WHERE subject = ? LIMIT ?`
)
