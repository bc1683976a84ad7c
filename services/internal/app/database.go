package app

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/lifecycle"
	"movieexample.com/fleet/services/internal/storage"
)

// Migrations is a Program's Migrate for the database of the binding mysql.
func Migrations[C config.Settings](files fs.FS) func(context.Context, Env[C]) error {
	return func(ctx context.Context, env Env[C]) error {
		dir, err := binding.Dir("mysql")
		if err != nil {
			return err
		}
		return storage.Migrate(ctx, dir, files, env.Log)
	}
}

// OpenDatabase is the pool of the binding mysql, which connects when it is first used, and the beginning of the service
// name that has it: ready on schemas from lowest on, with calls in traces and the pool in metrics. Fallback means that the
// service answers without its database, once it has been there.
func OpenDatabase[C config.Settings](env Env[C], name string, lowest int64, fallback bool) (*sql.DB, Service, error) {
	dir, err := binding.Dir("mysql")
	if err != nil {
		return nil, Service{}, err
	}
	db, err := storage.Open(dir, env.Log, storage.Traced(env.Traces), storage.Metered(env.Metrics))
	if err != nil {
		return nil, Service{}, err
	}
	return db, Service{
		Checks: []lifecycle.Check{{Name: "database", Run: storage.Ready(db, name, lowest), Fallback: fallback}},
		Close:  db.Close,
	}, nil
}

// WithDatabase is for commands: use has the database of the binding mysql until it returns.
func WithDatabase[C config.Settings](env Env[C], use func(*sql.DB) error) error {
	dir, err := binding.Dir("mysql")
	if err != nil {
		return err
	}
	db, err := storage.Open(dir, env.Log)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // everything was committed, or failed
	return use(db)
}

// Schema is a Program's Schema for the same; lowest is the oldest version that the program works with.
func Schema[C config.Settings](files fs.FS, lowest int64) func(context.Context, Env[C]) (fmt.Stringer, error) {
	return func(ctx context.Context, env Env[C]) (fmt.Stringer, error) {
		dir, err := binding.Dir("mysql")
		if err != nil {
			return nil, err
		}
		return storage.ReadSchema(ctx, dir, files, lowest, env.Log)
	}
}
