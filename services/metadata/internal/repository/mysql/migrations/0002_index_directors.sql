-- phase: expand
-- oldest-binary: 1
-- For lists of one director's movies. MariaDB alone knows IF NOT EXISTS here.
-- +goose Up
CREATE INDEX /*M! IF NOT EXISTS */ metadata_by_director ON metadata (director, id);
