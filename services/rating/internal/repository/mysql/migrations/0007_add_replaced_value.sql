-- phase: expand
-- oldest-binary: 0
-- What the last statement that met the row did to it, so that one statement writes many rows and answers by RETURNING what
-- each of them was before: the value that was replaced, 0 for a tombstone, NULL for no row, -1 for a stale write and -2 for
-- a duplicate, which changed nothing else.
-- +goose Up
ALTER TABLE ratings ADD COLUMN IF NOT EXISTS replaced_value TINYINT NULL;
