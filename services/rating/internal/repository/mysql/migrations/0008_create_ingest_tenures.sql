-- phase: expand
-- oldest-binary: 0
-- Which revision of the consumers began with which partition where and when, a row each time that another revision begins:
-- what a bad release has read can be read again from there.
-- +goose Up
CREATE TABLE IF NOT EXISTS ingest_tenures (
  tenure          BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  consumer_group  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  topic           VARCHAR(249) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  topic_id        BINARY(16)   NOT NULL,
  topic_partition INT          NOT NULL,
  revision        VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  from_offset     BIGINT       NOT NULL,
  begin_time      DATETIME(6)  NOT NULL,
  INDEX sources (consumer_group, topic, topic_id, topic_partition, tenure)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
