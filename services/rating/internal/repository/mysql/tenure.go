package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Hold notes that a consumer of the revision begins with the source at next, before it reads. It needs no transaction: where
// another one begins at the same moment both are noted, in whatever order.
func (r *Repository) Hold(ctx context.Context, source model.Source, revision string, next int64, now time.Time) error {
	if err := r.hold(ctx, source, revision, next, now); err != nil {
		return storage.Problem(fmt.Errorf("note who begins with a partition: %w", err))
	}
	return nil
}

func (r *Repository) hold(ctx context.Context, source model.Source, revision string, next int64, now time.Time) error {
	var id int64
	var last model.Tenure
	err := r.db.QueryRowContext(ctx, lastTenureSQL, sourceArgs(source)...).Scan(&id, &last.Revision, &last.From)
	switch {
	case err == nil && last.Covers(revision, next):
		return nil
	case err == nil && last.Revision == revision:
		_, err = r.db.ExecContext(ctx, lowerTenureSQL, next, id)
		return err
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if _, err := r.db.ExecContext(ctx, addTenureSQL, append(sourceArgs(source), revision, next, now)...); err != nil {
		return err
	}
	forget := append(sourceArgs(source), append(sourceArgs(source), now.Add(-model.TenureRetention))...)
	_, err = r.db.ExecContext(ctx, forgetTenuresSQL, forget...)
	return err
}

// Tenures are who has begun with the source, in order, as far back as it is known.
func (r *Repository) Tenures(ctx context.Context, source model.Source) ([]model.Tenure, error) {
	list, err := r.tenures(ctx, source)
	if err != nil {
		return nil, storage.Problem(fmt.Errorf("list who has read a partition: %w", err))
	}
	return list, nil
}

func (r *Repository) tenures(ctx context.Context, source model.Source) ([]model.Tenure, error) {
	rows, err := r.db.QueryContext(ctx, tenuresSQL, sourceArgs(source)...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed already
	var list []model.Tenure
	for rows.Next() {
		var t model.Tenure
		if err := rows.Scan(&t.Revision, &t.From, &t.Since); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}
