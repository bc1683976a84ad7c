-- phase: expand
-- oldest-binary: 0
-- Changed in the transaction that changes a rating: reading a mean costs one row however many ratings there are.
-- +goose Up
CREATE TABLE IF NOT EXISTS rating_aggregates (
  record_type  VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  record_id    VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  rating_sum   BIGINT       NOT NULL,
  rating_count BIGINT       NOT NULL,
  PRIMARY KEY (record_type, record_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
