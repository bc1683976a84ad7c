package mysql

// Every statement of this package. An integration test has the real server parse each of them.
const (
	// lockRowSQL locks the row if there is one. At READ COMMITTED a missing row locks nothing.
	lockRowSQL = `
		SELECT deleted, value, occurred_at, create_time, update_time FROM ratings
		WHERE record_type = ? AND record_id = ? AND user_id = ? FOR UPDATE`

	// upsertRowsSQL is [model.Apply] for all rows of a JSON array, in its order: one text however many there are, which the
	// server parses faster than as many literals. It assigns from left to right, so each line sees what those before it made:
	// replaced_value first, which the others ask, and occurred_at last of what it compares.
	upsertRowsSQL = `
		INSERT INTO ratings (record_type, record_id, user_id, deleted, value, occurred_at, create_time, update_time)
		SELECT w.record_type, w.record_id, w.user_id, w.value = 0, w.value, w.occurred_at, ?, ?
		FROM JSON_TABLE(?, '$[*]' COLUMNS (
			record_type VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]',
			record_id   VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]',
			user_id     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin PATH '$[2]',
			value       TINYINT      PATH '$[3]',
			occurred_at DATETIME(6)  PATH '$[4]')) AS w
		ON DUPLICATE KEY UPDATE
			replaced_value = CASE
				WHEN VALUES(occurred_at) > ratings.occurred_at THEN ratings.value
				WHEN VALUES(occurred_at) < ratings.occurred_at THEN -1
				WHEN VALUES(deleted) > ratings.deleted THEN ratings.value
				WHEN VALUES(deleted) < ratings.deleted THEN -1
				WHEN VALUES(value) > ratings.value THEN ratings.value
				WHEN VALUES(value) < ratings.value THEN -1
				ELSE -2 END,
			deleted = IF(ratings.replaced_value >= 0, VALUES(deleted), ratings.deleted),
			value = IF(ratings.replaced_value >= 0, VALUES(value), ratings.value),
			occurred_at = IF(ratings.replaced_value >= 0, VALUES(occurred_at), ratings.occurred_at),
			update_time = IF(ratings.replaced_value >= 0, VALUES(update_time), ratings.update_time)
		RETURNING replaced_value`

	// changeAggregatesSQL takes the changes as upsertRowsSQL takes rows.
	changeAggregatesSQL = `
		INSERT INTO rating_aggregates (record_type, record_id, rating_sum, rating_count)
		SELECT c.record_type, c.record_id, c.rating_sum, c.rating_count
		FROM JSON_TABLE(?, '$[*]' COLUMNS (
			record_type  VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin PATH '$[0]',
			record_id    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin PATH '$[1]',
			rating_sum   BIGINT       PATH '$[2]',
			rating_count BIGINT       PATH '$[3]')) AS c
		ON DUPLICATE KEY UPDATE
			rating_sum = rating_aggregates.rating_sum + VALUES(rating_sum),
			rating_count = rating_aggregates.rating_count + VALUES(rating_count)`

	positionSQL = `
		SELECT next_offset FROM ingest_positions
		WHERE consumer_group = ? AND topic = ? AND topic_id = ? AND topic_partition = ?`

	beginPositionSQL = `
		INSERT IGNORE INTO ingest_positions (consumer_group, topic, topic_id, topic_partition, next_offset) VALUES (?, ?, ?, ?, ?)`

	movePositionSQL = `
		UPDATE ingest_positions SET next_offset = ?
		WHERE consumer_group = ? AND topic = ? AND topic_id = ? AND topic_partition = ? AND next_offset = ?`

	setPositionSQL = `
		INSERT INTO ingest_positions (consumer_group, topic, topic_id, topic_partition, next_offset) VALUES (?, ?, ?, ?, ?)
		ON DUPLICATE KEY UPDATE next_offset = VALUES(next_offset)`

	positionsSQL = `
		SELECT topic, topic_id, topic_partition, next_offset FROM ingest_positions
		WHERE consumer_group = ? ORDER BY topic, topic_id, topic_partition`

	lastTenureSQL = `
		SELECT tenure, revision, from_offset FROM ingest_tenures
		WHERE consumer_group = ? AND topic = ? AND topic_id = ? AND topic_partition = ? ORDER BY tenure DESC LIMIT 1`

	// lowerTenureSQL lowers only: another consumer may have lowered it further.
	lowerTenureSQL = `
		UPDATE ingest_tenures SET from_offset = LEAST(from_offset, ?) WHERE tenure = ?`

	addTenureSQL = `
		INSERT INTO ingest_tenures (consumer_group, topic, topic_id, topic_partition, revision, from_offset, begin_time)
		VALUES (?, ?, ?, ?, ?, ?, ?)`

	// forgetTenuresSQL removes those before the last one that began before a time: they ended before it too.
	forgetTenuresSQL = `
		DELETE FROM ingest_tenures
		WHERE consumer_group = ? AND topic = ? AND topic_id = ? AND topic_partition = ? AND tenure < (
			SELECT MAX(old.tenure) FROM ingest_tenures AS old
			WHERE old.consumer_group = ? AND old.topic = ? AND old.topic_id = ? AND old.topic_partition = ? AND old.begin_time < ?)`

	tenuresSQL = `
		SELECT revision, from_offset, begin_time FROM ingest_tenures
		WHERE consumer_group = ? AND topic = ? AND topic_id = ? AND topic_partition = ? ORDER BY tenure`

	exportSQL = `
		SELECT record_type, record_id, deleted, value, occurred_at, create_time, update_time FROM ratings
		WHERE user_id = ? AND (record_type > ? OR record_type = ? AND record_id > ?) ORDER BY record_type, record_id LIMIT ?`

	countUserSQL = `
		SELECT COALESCE(SUM(NOT deleted), 0), COALESCE(SUM(deleted), 0) FROM ratings WHERE user_id = ?`

	lockUserSQL = `
		SELECT record_type, record_id, deleted, value FROM ratings
		WHERE user_id = ? ORDER BY record_type, record_id LIMIT ? FOR UPDATE`

	deleteRowSQL = `
		DELETE FROM ratings WHERE record_type = ? AND record_id = ? AND user_id = ?`

	purgeSQL = `
		DELETE FROM ratings WHERE tombstone_at < ? ORDER BY tombstone_at LIMIT ?`

	readAggregateSQL = `
		SELECT rating_sum, rating_count FROM rating_aggregates WHERE record_type = ? AND record_id = ?`

	// readAggregatesSQL gets as many placeholders as there are ids, by storage.In.
	readAggregatesSQL = `
		SELECT record_id, rating_sum, rating_count FROM rating_aggregates
		WHERE record_type = ? AND record_id IN (?) AND rating_count > 0`
)
