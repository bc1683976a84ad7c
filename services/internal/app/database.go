package app

import (
	"context"
	"fmt"
	"io/fs"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/config"
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
