// Package ingest runs consumers of rating events as processes, against a real broker and a real database, and breaks them.
package ingest
