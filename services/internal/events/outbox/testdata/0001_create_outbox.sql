-- phase: expand
-- oldest-binary: 0
-- Changes that wait to be published, and for a while those that were: publish_time is NULL while one waits. States are
-- NULL where there was no record. A subject is the person whom the change is about.
-- +goose Up
CREATE TABLE IF NOT EXISTS outbox (
  id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  event_id     CHAR(36)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  type         VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  record       VARCHAR(193) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  actor        VARCHAR(255) NOT NULL,
  subject      VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  before_state JSON         NULL,
  after_state  JSON         NULL,
  create_time  DATETIME(6)  NOT NULL,
  trace        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  publish_time DATETIME(6)  NULL,
  PRIMARY KEY (id),
  KEY pending (publish_time, id),
  KEY subject (subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
