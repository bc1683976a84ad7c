package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// A migration is one file VERSION_what_it_does.sql: one statement, so that a crash leaves it wholly done or not done,
// written so that running it twice does no harm (IF NOT EXISTS), since MySQL commits a change of the schema by
// itself before its version is noted. Its header declares what runs beside it:
//
//	-- phase: expand            expand: programs older than it still work; contract: they may not
//	-- oldest-binary: 2         the lowest schema version whose programs work with the database after it
//	-- +goose Up
type migration struct {
	file         string
	version      int64
	phase        string
	oldestBinary int64
	statements   int
}

func header(key, value string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^-- ` + key + `: (` + value + `)$`)
}

// Check reads the migrations in files and reports each that breaks the form above.
func Check(files fs.FS) error {
	_, err := read(files)
	return err
}

// Latest is the version of the newest migration in files, 0 if there is none.
func Latest(files fs.FS) (int64, error) {
	migrations, err := read(files)
	if err != nil || len(migrations) == 0 {
		return 0, err
	}
	return migrations[len(migrations)-1].version, nil
}

func read(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql") // sorted, and versions have leading zeros
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	migrations := make([]migration, 0, len(names))
	mistakes := []error{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read migration: %w", err)
		}
		m, err := parse(name, string(text))
		mistakes = append(mistakes, err)
		migrations = append(migrations, m)
	}
	return migrations, errors.Join(mistakes...)
}

func parse(name, text string) (migration, error) {
	m := migration{file: name}
	number, _, _ := strings.Cut(path.Base(name), "_")
	var err error
	if m.version, err = strconv.ParseInt(number, 10, 64); err != nil || m.version < 1 {
		return m, fmt.Errorf("migration %s: name it VERSION_what_it_does.sql, for example 0001_create_ratings.sql", name)
	}
	phase := header("phase", "expand|contract").FindStringSubmatch(text)
	oldest := header("oldest-binary", "[0-9]{1,9}").FindStringSubmatch(text)
	if phase == nil || oldest == nil {
		return m, fmt.Errorf("migration %s: wants the lines `-- phase: expand` (or contract) and `-- oldest-binary: N`", name)
	}
	m.phase = phase[1]
	m.oldestBinary, _ = strconv.ParseInt(oldest[1], 10, 64) // digits only, by the expression
	if m.statements = strings.Count(text, ";"); m.statements != 1 {
		return m, fmt.Errorf("migration %s: has %d statements (semicolons), want one a file", name, m.statements)
	}
	if m.oldestBinary > m.version {
		return m, fmt.Errorf("migration %s: oldest-binary %d is newer than the migration itself", name, m.oldestBinary)
	}
	return m, nil
}
