package validate

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"movieexample.com/fleet/services/internal/problem"
)

// MaxID is the greatest length of an id in bytes. Database columns rely on it.
const MaxID = 128

// Fields collects what is wrong with one request. The zero value is ready.
type Fields struct {
	violations []problem.Violation
}

// Err is an error of kind Invalid that lists every mistake, nil if there is none.
func (f *Fields) Err() error { return problem.NewInvalid(f.violations) }

// Fail notes a mistake of a kind that has no rule here.
func (f *Fields) Fail(field, format string, args ...any) {
	f.violations = append(f.violations, problem.Violation{Field: field, Description: fmt.Sprintf(format, args...)})
}

// ID is for names of things: they travel in URLs and log lines and are compared byte by byte.
func (f *Fields) ID(field, value string) { f.id(field, value, "-_.:~") }

// UserID is an ID that may be an e-mail address.
func (f *Fields) UserID(field, value string) { f.id(field, value, "-_.:~@+") }

func (f *Fields) id(field, value, marks string) {
	switch bad := firstBad(value, marks); {
	case value == "":
		f.Fail(field, "is empty, want 1 to %d characters", MaxID)
	case len(value) > MaxID:
		f.Fail(field, "has %d bytes, want at most %d", len(value), MaxID)
	case bad == 0:
		f.Fail(field, "starts with %q, want a letter or a digit first", runeAt(value, 0))
	case bad > 0:
		f.Fail(field, "holds %q, want letters, digits and %s only", runeAt(value, bad), strings.Join(strings.Split(marks, ""), " "))
	}
}

// firstBad is the index of the first byte that does not belong into an id, -1 if all do. A mark is bad in front.
func firstBad(value, marks string) int {
	for i := range len(value) {
		c := value[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune(marks, rune(c)) || c >= utf8.RuneSelf) {
			return i
		}
	}
	return -1
}

func runeAt(s string, i int) string {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return string(r)
}

// Text bounds the length of free text in characters, not bytes.
func (f *Fields) Text(field, value string, least, most int) {
	switch n := utf8.RuneCountInString(value); {
	case n < least && n == 0:
		f.Fail(field, "is empty, want %d to %d characters", least, most)
	case n < least, n > most:
		f.Fail(field, "has %d characters, want %d to %d", n, least, most)
	}
}

// Range bounds a number; both ends are allowed.
func (f *Fields) Range(field string, value, least, most int) {
	if value < least || value > most {
		f.Fail(field, "is %d, want %d to %d", value, least, most)
	}
}

// OneOf wants one of a few words.
func (f *Fields) OneOf(field, value string, words []string) {
	if !slices.Contains(words, value) {
		f.Fail(field, "is %q, want one of: %s", value, strings.Join(words, ", "))
	}
}
