// Package layers wraps a repository of ratings in what keeps its readers well: a breaker, and last known aggregates.
package layers
