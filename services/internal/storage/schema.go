package storage

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
)

// Schema is where a database is, and where a program wants it to be.
type Schema struct {
	Current int64 // 0: never migrated
	Wanted  int64 // of the newest migration
	Lowest  int64 // that the program works with
}

// ReadSchema asks the database that the binding in dir names; files and lowest are the program's.
func ReadSchema(ctx context.Context, dir string, files fs.FS, lowest int64, log *slog.Logger) (Schema, error) {
	wanted, err := Latest(files)
	if err != nil {
		return Schema{}, err
	}
	db, err := Open(dir, log)
	if err != nil {
		return Schema{}, err
	}
	defer func() { _ = db.Close() }() // nothing was written
	current, err := schemaVersion(ctx, db)
	if err != nil {
		return Schema{}, err
	}
	return Schema{Current: current, Wanted: wanted, Lowest: lowest}, nil
}

// String says what to do, too.
func (s Schema) String() string {
	state := "it is what this program wants"
	switch {
	case s.Current < s.Lowest:
		state = "it is too old for this program: run its command migrate"
	case s.Current < s.Wanted:
		state = "this program works with it; its command migrate brings it up to date"
	case s.Current > s.Wanted:
		state = "it is newer than this program, which works with it"
	}
	return fmt.Sprintf("current %d, wanted %d, lowest %d: %s", s.Current, s.Wanted, s.Lowest, state)
}
