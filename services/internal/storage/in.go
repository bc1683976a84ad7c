package storage

import "strings"

// In is the statement with n placeholders where it has one, in `IN (?)`; n is at least 1. So the statement itself is one
// that a server can parse, and tests do.
func In(statement string, n int) string {
	return strings.Replace(statement, "IN (?)", "IN (?"+strings.Repeat(", ?", n-1)+")", 1)
}

// Args are the values for the placeholders of In.
func Args[T any](values []T) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return args
}
