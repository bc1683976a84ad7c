package storage

import (
	"context"
	"database/sql"
	"fmt"
)

const versionSQL = `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`

// Ready is a readiness check: the database answers, and its schema is not older than lowest.
func Ready(db *sql.DB, service string, lowest int64) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := db.PingContext(ctx); err != nil {
			return fmt.Errorf("the database cannot be reached: %w", err)
		}
		return CheckSchema(ctx, db, service, lowest)
	}
}

// CheckSchema is an error that says what to run if the database's schema is older than lowest. A newer schema is fine:
// during a release the old program runs on it.
func CheckSchema(ctx context.Context, db *sql.DB, service string, lowest int64) error {
	version, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	if version < lowest {
		return fmt.Errorf("the database's schema is at version %d and %s needs %d: run `%s migrate`", version, service, lowest, service)
	}
	return nil
}

func schemaVersion(ctx context.Context, db *sql.DB) (int64, error) {
	var version int64
	err := db.QueryRowContext(ctx, versionSQL).Scan(&version)
	if isNumber(err, errNoSuchTable) {
		return 0, nil // nothing was ever migrated
	}
	if err != nil {
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return version, nil
}
