//go:build integration

package mysql_test

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"testing"

	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/internal/storage/storagetest"
	"movieexample.com/fleet/services/rating/internal/model"
	"movieexample.com/fleet/services/rating/internal/repository/mysql"
	"movieexample.com/fleet/services/rating/internal/repository/repositorytest"
	"movieexample.com/fleet/test/parts"
)

var server *parts.MariaDB //nolint:gochecknoglobals // one server for the tests of this package

func TestMain(m *testing.M) {
	os.Exit(parts.WithMariaDB(func(s *parts.MariaDB) int { server = s; return m.Run() }))
}

func TestContract(t *testing.T) {
	repositorytest.RunIngest(t, func(t *testing.T) repositorytest.Ingestion {
		db := storagetest.Migrated(t, server, mysql.Migrations())
		return ingestion(mysql.New(db), db)
	})
}

func TestContractTelling(t *testing.T) {
	repositorytest.RunIngest(t, func(t *testing.T) repositorytest.Ingestion {
		db := storagetest.Migrated(t, server, mysql.Migrations())
		return ingestion(mysql.NewTelling(db, outbox.New()), db)
	})
}

func ingestion(r *mysql.Repository, db *sql.DB) repositorytest.Ingestion {
	return repositorytest.Ingestion{Ingester: r, Rows: func(recordType string) (map[model.Key]model.Row, error) {
		rows, err := db.QueryContext(context.Background(), `SELECT record_id, user_id, deleted, value, occurred_at, create_time, update_time
			FROM ratings WHERE record_type = ?`, recordType)
		if err != nil {
			return nil, err
		}
		defer func() { _ = rows.Close() }()
		found := map[model.Key]model.Row{}
		for rows.Next() {
			row := model.Row{Write: model.Write{Key: model.Key{Record: model.Record{Type: recordType}}}}
			if err := rows.Scan(&row.Key.Record.ID, &row.Key.UserID, &row.Deleted, &row.Value, &row.OccurredAt,
				&row.CreateTime, &row.UpdateTime); err != nil {
				return nil, err
			}
			found[row.Key] = row
		}
		return found, rows.Err()
	}}
}

func TestStatements(t *testing.T) {
	storagetest.Prepare(t, storagetest.Migrated(t, server, mysql.Migrations()), "queries.go")
}

func TestSchemaIsNewEnough(t *testing.T) {
	db := storagetest.Migrated(t, server, mysql.Migrations())
	if err := storage.CheckSchema(t.Context(), db, "rating", mysql.LowestSchema); err != nil {
		t.Errorf("CheckSchema after migrating = %v, want nil", err)
	}
}

func TestDatabaseThatIsNotMigrated(t *testing.T) {
	db, err := storage.Open(server.Database(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	_, err = mysql.New(db).Aggregate(t.Context(), model.Record{Type: "movie", ID: "1"})
	if problem.KindOf(err) != problem.Unavailable {
		t.Errorf("Aggregate = %v, want one of kind Unavailable", err)
	}
}
