-- phase: expand
-- oldest-binary: 0
-- When a rating was taken back, and NULL for one that stands. It is computed, so programs that do not know it write it too.
-- Tombstones are found by it without reading the ratings, whose own times change and would move in an index.
-- +goose Up
ALTER TABLE ratings
  ADD COLUMN IF NOT EXISTS tombstone_at DATETIME(6) AS (IF(deleted, occurred_at, NULL)) VIRTUAL,
  ADD INDEX IF NOT EXISTS tombstones (tombstone_at);
