// Package layers wraps a repository of metadata in what keeps its readers well: a cache in the process, one in Redis, a
// breaker, and last known records.
package layers
