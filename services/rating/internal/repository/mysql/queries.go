package mysql

// Every statement of this package. An integration test has the real server parse each of them.
const (
	// lockRowSQL locks the row if there is one. At READ COMMITTED a missing row locks nothing.
	lockRowSQL = `
		SELECT deleted, value, occurred_at, create_time, update_time FROM ratings
		WHERE record_type = ? AND record_id = ? AND user_id = ? FOR UPDATE`

	insertRowSQL = `
		INSERT INTO ratings (deleted, value, occurred_at, create_time, update_time, record_type, record_id, user_id)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

	updateRowSQL = `
		UPDATE ratings SET deleted = ?, value = ?, occurred_at = ?, create_time = ?, update_time = ?
		WHERE record_type = ? AND record_id = ? AND user_id = ?`

	changeAggregateSQL = `
		INSERT INTO rating_aggregates (record_type, record_id, rating_sum, rating_count) VALUES (?, ?, ?, ?)
		ON DUPLICATE KEY UPDATE rating_sum = rating_sum + VALUES(rating_sum), rating_count = rating_count + VALUES(rating_count)`

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
