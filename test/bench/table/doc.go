// Package table writes what was measured as rows that hack/make/bench-table gathers, and holds it to its bounds.
package table
