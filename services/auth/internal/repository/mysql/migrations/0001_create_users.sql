-- phase: expand
-- oldest-binary: 0
-- Names are ASCII by the rules of the API and compared byte by byte. A hash is a PHC string: it tells its own cost.
-- Roles are words with commas between, none of which holds one.
-- +goose Up
CREATE TABLE IF NOT EXISTS users (
  name        VARCHAR(128)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  hash        VARCHAR(255)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  roles       VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  disabled    BOOLEAN       NOT NULL,
  create_time DATETIME(6)   NOT NULL,
  update_time DATETIME(6)   NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
