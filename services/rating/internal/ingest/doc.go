// Package ingest consumes rating events from Kafka: each takes effect once, a bad one waits as a dead letter, and nothing blocks.
package ingest
