package mysql

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"movieexample.com/fleet/services/internal/events/outbox"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/metadata/internal/model"
)

// Repository is safe for concurrent use, by many processes at once.
type Repository struct {
	db     *sql.DB
	outbox *outbox.Outbox // nil if nobody is told of changes
}

// New takes a pool from storage.Open.
func New(db *sql.DB) *Repository { return &Repository{db: db} }

// NewTelling is a repository that writes each change into the outbox too.
func NewTelling(db *sql.DB, o *outbox.Outbox) *Repository { return &Repository{db: db, outbox: o} }

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
	return scan(from.QueryRowContext(ctx, getSQL, id))
}

// row is one row of an answer.
type row interface{ Scan(into ...any) error }

func scan(from row) (model.Metadata, error) {
	var m model.Metadata
	var actors []byte
	if err := from.Scan(&m.ID, &m.Title, &m.Description, &m.Director, &m.Year, &actors, &m.CreateTime, &m.UpdateTime); err != nil {
		return model.Metadata{}, fmt.Errorf("read metadata: %w", err)
	}
	if err := json.Unmarshal(actors, &m.Actors); err != nil {
		return model.Metadata{}, fmt.Errorf("read the actors of %q: %w", m.ID, err)
	}
	return m, nil
}

// GetMany are the records under those of the ids that have one.
func (r *Repository) GetMany(ctx context.Context, ids []string) (map[string]model.Metadata, error) {
	if len(ids) == 0 {
		return map[string]model.Metadata{}, nil
	}
	list, err := r.list(ctx, storage.In(getManySQL, len(ids)), storage.Args(ids)...)
	if err != nil {
		return nil, storage.Problem(err)
	}
	found := make(map[string]model.Metadata, len(list))
	for _, m := range list {
		found[m.ID] = m
	}
	return found, nil
}

// List are the records that q asks for, in the order of their ids.
func (r *Repository) List(ctx context.Context, q model.Query) ([]model.Metadata, error) {
	var list []model.Metadata
	var err error
	if q.Director == "" {
		list, err = r.list(ctx, listSQL, q.After, q.Limit)
	} else {
		list, err = r.list(ctx, listByDirectorSQL, q.Director, q.Director, q.After, q.Limit)
	}
	return list, storage.Problem(err)
}

func (r *Repository) list(ctx context.Context, statement string, args ...any) ([]model.Metadata, error) {
	rows, err := r.db.QueryContext(ctx, statement, args...)
	if err != nil {
		return nil, fmt.Errorf("list metadata: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var list []model.Metadata
	for rows.Next() {
		m, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list metadata: %w", err)
	}
	return list, nil
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
		before, err := r.before(ctx, tx, m.ID)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, putSQL, m.ID, m.Title, m.Description, m.Director, m.Year, actors,
			m.CreateTime, m.UpdateTime); err != nil {
			return fmt.Errorf("write metadata: %w", err)
		}
		if stored, err = get(ctx, tx, m.ID); err != nil {
			return err
		}
		return r.tell(ctx, tx, m, before, stored)
	})
	if err != nil {
		return model.Metadata{}, storage.Problem(err)
	}
	r.outbox.Committed()
	return stored, nil
}
