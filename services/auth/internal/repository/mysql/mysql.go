package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"movieexample.com/fleet/services/auth/internal/model"
	"movieexample.com/fleet/services/internal/storage"
)

// Repository is safe for concurrent use, by many processes at once.
type Repository struct{ db *sql.DB }

// New takes a pool from storage.Open.
func New(db *sql.DB) *Repository { return &Repository{db: db} }

// Get is the user of this name; NotFound if there is none.
func (r *Repository) Get(ctx context.Context, name string) (model.User, error) {
	u, err := scan(r.db.QueryRowContext(ctx, getSQL, name), name)
	return u, storage.Problem(err)
}

func scan(row *sql.Row, name string) (model.User, error) {
	u := model.User{Name: name}
	var roles string
	err := row.Scan(&u.Hash, &roles, &u.Disabled, &u.CreateTime, &u.UpdateTime)
	if errors.Is(err, sql.ErrNoRows) {
		return model.User{}, model.NotFound(name)
	}
	if err != nil {
		return model.User{}, fmt.Errorf("read user: %w", err)
	}
	if roles != "" {
		u.Roles = strings.Split(roles, ",")
	}
	return u, nil
}

// Add keeps a new user.
func (r *Repository) Add(ctx context.Context, u model.User) error {
	_, err := r.db.ExecContext(ctx, insertSQL, u.Name, u.Hash, strings.Join(u.Roles, ","), u.Disabled, u.CreateTime, u.UpdateTime)
	switch {
	case storage.DuplicateKey(err):
		return model.Exists(u.Name)
	case err != nil:
		return storage.Problem(fmt.Errorf("add user: %w", err))
	}
	return nil
}

// Change changes a user who is there. Two changes at once both happen.
func (r *Repository) Change(ctx context.Context, name string, change func(*model.User)) error {
	err := storage.InTx(ctx, r.db, func(ctx context.Context, tx *sql.Tx) error {
		u, err := scan(tx.QueryRowContext(ctx, lockSQL, name), name)
		if err != nil {
			return err
		}
		change(&u)
		_, err = tx.ExecContext(ctx, updateSQL, u.Hash, strings.Join(u.Roles, ","), u.Disabled, u.UpdateTime, name)
		if err != nil {
			return fmt.Errorf("change user: %w", err)
		}
		return nil
	})
	return storage.Problem(err)
}
