package storage

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// The oldest server that is worked with: the first with JSON_TABLE, and RETURNING is older.
const (
	oldestMajor = 10
	oldestMinor = 6
)

// checkServer refuses a server that the statements were not written for, before anything is made there.
func checkServer(ctx context.Context, db *sql.DB) error {
	var version string
	err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version)
	if isNumber(err, errUnknownVariable) {
		return checkVersion("unknown, and not MariaDB's") // it refuses the session's settings already
	}
	if err != nil {
		return fmt.Errorf("ask for the server's version: %w", err)
	}
	return checkVersion(version)
}

// checkVersion takes what VERSION() says, such as 10.11.6-MariaDB-0+deb12u1.
func checkVersion(version string) error {
	number, rest, _ := strings.Cut(version, "-")
	if strings.Contains(rest, "MariaDB") {
		major, after, _ := strings.Cut(number, ".")
		minor, _, _ := strings.Cut(after, ".")
		a, errMajor := strconv.Atoi(major)
		b, errMinor := strconv.Atoi(minor)
		if errMajor == nil && errMinor == nil && (a > oldestMajor || a == oldestMajor && b >= oldestMinor) {
			return nil
		}
	}
	return fmt.Errorf("the server of the binding mysql is of version %q, want MariaDB %d.%d or newer: statements here use its JSON_TABLE and RETURNING, "+
		"and MySQL has no RETURNING; bind a database of such a server", version, oldestMajor, oldestMinor)
}
