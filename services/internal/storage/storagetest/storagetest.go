package storagetest

import (
	"database/sql"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"strconv"
	"testing"

	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/test/parts"
)

// Migrated is a pool on a new database of the server, with the schema of migrations.
func Migrated(t *testing.T, server *parts.MariaDB, migrations fs.FS) *sql.DB {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	dir := server.Database(t)
	if err := storage.Migrate(t.Context(), dir, migrations, quiet); err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Prepare has the server parse every constant of the Go file, so that no statement can be forgotten: misspelt SQL
// and columns that are not there fail here and not in production. It wants at least one.
func Prepare(t *testing.T, db *sql.DB, file string) {
	t.Helper()
	statements := constants(t, file)
	if len(statements) == 0 {
		t.Fatalf("%s has no statements", file)
	}
	for name, text := range statements {
		prepare(t, db, name, text)
	}
}

func prepare(t *testing.T, db *sql.DB, name, text string) {
	t.Helper()
	statement, err := db.PrepareContext(t.Context(), text)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer func() { _ = statement.Close() }()
}

func constants(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, name := range spec.Names {
			literal, ok := spec.Values[i].(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				t.Fatalf("%s: %s is not one string literal", file, name.Name)
			}
			if found[name.Name], err = strconv.Unquote(literal.Value); err != nil {
				t.Fatal(err)
			}
		}
		return false
	})
	return found
}
