-- phase: expand
-- oldest-binary: 0
-- Where each group's consumers are in each partition, changed in the transaction that stores what was consumed: an event
-- takes effect once, whatever crashes. Groups are named as people like, and a topic made anew has another id.
-- +goose Up
CREATE TABLE IF NOT EXISTS ingest_positions (
  consumer_group  VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  topic           VARCHAR(249) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  topic_id        BINARY(16)   NOT NULL,
  topic_partition INT          NOT NULL,
  next_offset     BIGINT       NOT NULL,
  PRIMARY KEY (consumer_group, topic, topic_id, topic_partition)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
