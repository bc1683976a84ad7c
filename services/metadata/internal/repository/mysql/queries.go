package mysql

// Every statement of this package. An integration test has the real server parse each of them.
const (
	getSQL = `
		SELECT title, description, director, year, actors, create_time, update_time FROM metadata WHERE id = ?`

	// putSQL leaves create_time of a record that is there as it is.
	putSQL = `
		INSERT INTO metadata (id, title, description, director, year, actors, create_time, update_time)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON DUPLICATE KEY UPDATE title = VALUES(title), description = VALUES(description), director = VALUES(director),
			year = VALUES(year), actors = VALUES(actors), update_time = VALUES(update_time)`
)
