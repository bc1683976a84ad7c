package validate_test

import (
	"testing"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/validate"
)

func TestFields(t *testing.T) {
	for name, c := range map[string]struct {
		check func(f *validate.Fields)
		want  string
	}{
		"one of":       {func(f *validate.Fields) { f.OneOf("type", "movie", []string{"movie", "song"}) }, ""},
		"none of":      {func(f *validate.Fields) { f.OneOf("type", "book", []string{"movie", "song"}) }, `type is "book", want one of: movie, song`},
		"all mistakes": {func(f *validate.Fields) { f.Fail("id", "is odd"); f.OneOf("type", "", nil) }, `id is odd; type is "", want one of: `},
	} {
		t.Run(name, func(t *testing.T) {
			var f validate.Fields
			c.check(&f)
			err := f.Err()
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if err != nil && problem.KindOf(err) != problem.Invalid {
				t.Errorf("kind of %v is %v, want Invalid", err, problem.KindOf(err))
			}
		})
	}
}
