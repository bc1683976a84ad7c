package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// Repository is safe for concurrent use, by many processes at once.
type Repository struct{ db *sql.DB }

// New takes a pool from storage.Open.
func New(db *sql.DB) *Repository { return &Repository{db: db} }

// querier is a pool or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Get is the record under id; NotFound if there is none.
func (r *Repository) Get(ctx context.Context, id string) (model.Metadata, error) {
	m, err := get(ctx, r.db, id)
	if errors.Is(err, sql.ErrNoRows) {
		return model.Metadata{}, model.NotFound(id)
	}
	return m, storage.Problem(err)
}

func get(ctx context.Context, from querier, id string) (model.Metadata, error) {
	m := model.Metadata{ID: id}
	var actors []byte
	err := from.QueryRowContext(ctx, getSQL, id).
		Scan(&m.Title, &m.Description, &m.Director, &m.Year, &actors, &m.CreateTime, &m.UpdateTime)
	if err != nil {
		return model.Metadata{}, fmt.Errorf("read metadata: %w", err)
	}
	if err := json.Unmarshal(actors, &m.Actors); err != nil {
		return model.Metadata{}, fmt.Errorf("read the actors of %q: %w", id, err)
	}
	return m, nil
}

// Put creates or replaces the record and reads it back in the same transaction: the answer is what this call stored, with
// the time at which the record was first there.
func (r *Repository) Put(ctx context.Context, m model.Metadata) (model.Metadata, error) {
	actors, err := json.Marshal(append([]string{}, m.Actors...)) // none is [], not null
	if err != nil {
		return model.Metadata{}, fmt.Errorf("write the actors of %q: %w", m.ID, err)
	}
	var stored model.Metadata
	err = storage.InTx(ctx, r.db, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, putSQL, m.ID, m.Title, m.Description, m.Director, m.Year, actors,
			m.CreateTime, m.UpdateTime); err != nil {
			return fmt.Errorf("write metadata: %w", err)
		}
		stored, err = get(ctx, tx, m.ID)
		return err
	})
	return stored, storage.Problem(err)
}
