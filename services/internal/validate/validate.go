package validate

import (
	"fmt"
	"slices"
	"strings"

	"movieexample.com/fleet/services/internal/problem"
)

// Fields collects what is wrong with one request by rules that depend on settings or on the clock. All others stand in the
// proto file. The zero value is ready.
type Fields struct {
	violations []problem.Violation
}

// Err is an error of kind Invalid that lists every mistake, nil if there is none.
func (f *Fields) Err() error { return problem.NewInvalid(f.violations) }

// Fail notes a mistake of a kind that has no rule here.
func (f *Fields) Fail(field, format string, args ...any) {
	f.violations = append(f.violations, problem.Violation{Field: field, Description: fmt.Sprintf(format, args...)})
}

// OneOf wants one of a few words.
func (f *Fields) OneOf(field, value string, words []string) {
	if !slices.Contains(words, value) {
		f.Fail(field, "is %q, want one of: %s", value, strings.Join(words, ", "))
	}
}
