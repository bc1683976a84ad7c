-- phase: expand
-- oldest-binary: 0
-- Ids are ASCII by the rules of the API and compared byte by byte. A tombstone is a row with deleted and value 0.
-- +goose Up
CREATE TABLE IF NOT EXISTS ratings (
  record_type VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  record_id   VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  user_id     VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  deleted     BOOLEAN      NOT NULL,
  value       TINYINT      NOT NULL,
  occurred_at DATETIME(6)  NOT NULL,
  create_time DATETIME(6)  NOT NULL,
  update_time DATETIME(6)  NOT NULL,
  PRIMARY KEY (record_type, record_id, user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
