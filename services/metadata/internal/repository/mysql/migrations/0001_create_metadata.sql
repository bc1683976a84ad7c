-- phase: expand
-- oldest-binary: 0
-- Ids are ASCII by the rules of the API and compared byte by byte. Actors are a JSON array of names in order.
-- +goose Up
CREATE TABLE IF NOT EXISTS metadata (
  id          VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  title       VARCHAR(255) NOT NULL,
  description TEXT         NOT NULL,
  director    VARCHAR(255) NOT NULL,
  year        SMALLINT     NOT NULL,
  actors      JSON         NOT NULL,
  create_time DATETIME(6)  NOT NULL,
  update_time DATETIME(6)  NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
