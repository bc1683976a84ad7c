package mysql

// Every statement of this package. An integration test has the real server parse each of them.
const (
	getSQL = `
		SELECT id, title, description, director, year, actors, create_time, update_time FROM metadata WHERE id = ?`

	// getManySQL gets as many placeholders as there are ids, by storage.In.
	getManySQL = `
		SELECT id, title, description, director, year, actors, create_time, update_time FROM metadata WHERE id IN (?)`

	listSQL = `
		SELECT id, title, description, director, year, actors, create_time, update_time FROM metadata
		WHERE id > ? ORDER BY id LIMIT ?`

	// listByDirectorSQL finds the director in the index, which knows no case, and then compares byte by byte.
	listByDirectorSQL = `
		SELECT id, title, description, director, year, actors, create_time, update_time FROM metadata
		WHERE director = ? AND director = BINARY ? AND id > ? ORDER BY id LIMIT ?`

	// lockSQL locks the row if there is one. At READ COMMITTED a missing row locks nothing.
	lockSQL = `SELECT id FROM metadata WHERE id = ? FOR UPDATE`

	// putSQL leaves create_time of a record that is there as it is.
	putSQL = `
		INSERT INTO metadata (id, title, description, director, year, actors, create_time, update_time)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON DUPLICATE KEY UPDATE title = VALUES(title), description = VALUES(description), director = VALUES(director),
			year = VALUES(year), actors = VALUES(actors), update_time = VALUES(update_time)`
)
