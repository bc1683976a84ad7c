package table

import (
	"fmt"
	"testing"
)

// Row tells a number that has no bound.
func Row(tb testing.TB, what, number string) {
	tb.Helper()
	write(tb, what, number, "")
}

// AtLeast tells a ratio, and fails the test if it is below its bound.
func AtLeast(tb testing.TB, what string, got, least float64) {
	tb.Helper()
	within(tb, what, fmt.Sprintf("%.2f", got), fmt.Sprintf("≥ %g", least), got >= least)
}

// AtMost tells a ratio, and fails the test if it is above its bound.
func AtMost(tb testing.TB, what string, got, most float64) {
	tb.Helper()
	within(tb, what, fmt.Sprintf("%.2f", got), fmt.Sprintf("≤ %g", most), got <= most)
}

// Within tells any number with its bound, and fails the test if it was not held.
func Within(tb testing.TB, what string, got, most fmt.Stringer, held bool) {
	tb.Helper()
	within(tb, what, got.String(), "≤ "+most.String(), held)
}

func within(tb testing.TB, what, number, bound string, held bool) {
	tb.Helper()
	if !held {
		bound += " FAILED"
		tb.Errorf("%s = %s, want %s", what, number, bound)
	}
	write(tb, what, number, bound)
}

func write(tb testing.TB, what, number, bound string) {
	tb.Helper()
	tb.Logf("| %s | %s | %s |", what, number, bound)
}
