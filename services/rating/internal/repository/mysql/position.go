package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/services/rating/internal/model"
)

// Position is the next offset of the source; found is false where the group has not begun with this topic id.
func (r *Repository) Position(ctx context.Context, source model.Source) (next int64, found bool, err error) {
	err = r.db.QueryRowContext(ctx, positionSQL, sourceArgs(source)...).Scan(&next)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, storage.Problem(fmt.Errorf("read position: %w", err))
	}
	return next, true, nil
}

// Begin puts the source at next if it is nowhere yet, and returns the position that holds.
func (r *Repository) Begin(ctx context.Context, source model.Source, next int64) (int64, error) {
	if _, err := r.db.ExecContext(ctx, beginPositionSQL, append(sourceArgs(source), next)...); err != nil {
		return 0, storage.Problem(fmt.Errorf("begin with a partition: %w", err))
	}
	holds, found, err := r.Position(ctx, source)
	if err == nil && !found {
		return 0, errors.New("begin with a partition: its position was not stored")
	}
	return holds, err
}

// Rewind puts the source at next, wherever it is. A batch that is under way from elsewhere ends with [model.ErrMoved].
func (r *Repository) Rewind(ctx context.Context, source model.Source, next int64) error {
	if _, err := r.db.ExecContext(ctx, setPositionSQL, append(sourceArgs(source), next)...); err != nil {
		return storage.Problem(fmt.Errorf("set position: %w", err))
	}
	return nil
}

// Positions are those of all that the group has begun with, by topic, topic id and partition.
func (r *Repository) Positions(ctx context.Context, group string) ([]model.Position, error) {
	list, err := r.positions(ctx, group)
	if err != nil {
		return nil, storage.Problem(fmt.Errorf("list positions: %w", err))
	}
	return list, nil
}

func (r *Repository) positions(ctx context.Context, group string) ([]model.Position, error) {
	rows, err := r.db.QueryContext(ctx, positionsSQL, group)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to its end, or failed already
	var list []model.Position
	for rows.Next() {
		p := model.Position{Source: model.Source{Group: group}}
		var id []byte
		if err := rows.Scan(&p.Topic, &id, &p.Partition, &p.Next); err != nil {
			return nil, err
		}
		copy(p.TopicID[:], id)
		list = append(list, p)
	}
	return list, rows.Err()
}

// move is the fence: it fails unless the source is at span.From, and holds the position until the transaction ends.
func move(ctx context.Context, tx *sql.Tx, span model.Span) error {
	args := append([]any{span.Next}, sourceArgs(span.Source)...)
	result, err := tx.ExecContext(ctx, movePositionSQL, append(args, span.From)...)
	if err != nil {
		return fmt.Errorf("move position: %w", err)
	}
	moved, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("move position: %w", err)
	}
	if moved == 0 {
		return fmt.Errorf("%w: partition %d of topic %s is not at %d", model.ErrMoved, span.Partition, span.Topic, span.From)
	}
	return nil
}

func sourceArgs(s model.Source) []any { return []any{s.Group, s.Topic, s.TopicID[:], s.Partition} }
