-- phase: expand
-- oldest-binary: 0
-- All that one user rated, in the order of the primary key: for people who ask what is known of them, or to be forgotten.
-- +goose Up
ALTER TABLE ratings ADD INDEX IF NOT EXISTS users (user_id);
