package storage

import "strings"

// In is the statement with n placeholders where it has one, in `IN (?)`; n is at least 1. So the statement itself is one
// that a server can parse, and tests do.
func In(statement string, n int) string {
	return strings.Replace(statement, "IN (?)", "IN (?"+strings.Repeat(", ?", n-1)+")", 1)
}

// Values is the statement with n rows where it has one, in `VALUES (?, ?)`; n is at least 1. VALUES must be followed by a
// space there, and by none where it is the function.
func Values(statement string, n int) string {
	before, rest, _ := strings.Cut(statement, "VALUES (")
	row, after, _ := strings.Cut(rest, ")")
	return before + "VALUES (" + row + ")" + strings.Repeat(", ("+row+")", n-1) + after
}

// Args are the values for the placeholders of In.
func Args[T any](values []T) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return args
}
