package mysql

// Every statement of this package. An integration test has the real server parse each of them.
const (
	getSQL = `
		SELECT hash, roles, disabled, create_time, update_time FROM users WHERE name = ?`

	lockSQL = `
		SELECT hash, roles, disabled, create_time, update_time FROM users WHERE name = ? FOR UPDATE`

	insertSQL = `
		INSERT INTO users (name, hash, roles, disabled, create_time, update_time) VALUES (?, ?, ?, ?, ?, ?)`

	updateSQL = `
		UPDATE users SET hash = ?, roles = ?, disabled = ?, update_time = ? WHERE name = ?`
)
