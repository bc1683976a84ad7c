package mysql

import (
	"embed"
	"io/fs"
)

// LowestSchema is the oldest version of the schema that this program works with.
const LowestSchema = 8

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the files that make the schema, for storage.Migrate.
func Migrations() fs.FS {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // only for a malformed path, and this one is a constant
	}
	return files
}
