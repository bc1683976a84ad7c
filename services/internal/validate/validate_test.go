package validate_test

import (
	"strings"
	"testing"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/validate"
)

func TestFields(t *testing.T) {
	for name, c := range map[string]struct {
		check func(f *validate.Fields)
		want  string
	}{
		"id":                 {func(f *validate.Fields) { f.ID("id", "tt0111161") }, ""},
		"id with marks":      {func(f *validate.Fields) { f.ID("id", "a-b_c.d:e~f") }, ""},
		"id empty":           {func(f *validate.Fields) { f.ID("id", "") }, "id is empty, want 1 to 128 characters"},
		"id longest":         {func(f *validate.Fields) { f.ID("id", strings.Repeat("a", 128)) }, ""},
		"id too long":        {func(f *validate.Fields) { f.ID("id", strings.Repeat("a", 129)) }, "id has 129 bytes, want at most 128"},
		"id starts wrong":    {func(f *validate.Fields) { f.ID("id", "..") }, `id starts with ".", want a letter or a digit first`},
		"id with a slash":    {func(f *validate.Fields) { f.ID("id", "a/b") }, `id holds "/", want letters, digits and - _ . : ~ only`},
		"id not ASCII":       {func(f *validate.Fields) { f.ID("id", "aé") }, `id holds "é", want letters, digits and - _ . : ~ only`},
		"id e-mail":          {func(f *validate.Fields) { f.ID("id", "a@b") }, `id holds "@", want letters, digits and - _ . : ~ only`},
		"user e-mail":        {func(f *validate.Fields) { f.UserID("id", "a+b@c.d") }, ""},
		"text":               {func(f *validate.Fields) { f.Text("title", "ééé", 1, 3) }, ""},
		"text empty allowed": {func(f *validate.Fields) { f.Text("title", "", 0, 3) }, ""},
		"text empty":         {func(f *validate.Fields) { f.Text("title", "", 1, 3) }, "title is empty, want 1 to 3 characters"},
		"text long":          {func(f *validate.Fields) { f.Text("title", "abcd", 1, 3) }, "title has 4 characters, want 1 to 3"},
		"range ends":         {func(f *validate.Fields) { f.Range("value", 1, 1, 5); f.Range("value", 5, 1, 5) }, ""},
		"range below":        {func(f *validate.Fields) { f.Range("value", 0, 1, 5) }, "value is 0, want 1 to 5"},
		"range above":        {func(f *validate.Fields) { f.Range("value", 6, 1, 5) }, "value is 6, want 1 to 5"},
		"one of":             {func(f *validate.Fields) { f.OneOf("type", "movie", []string{"movie", "song"}) }, ""},
		"none of":            {func(f *validate.Fields) { f.OneOf("type", "book", []string{"movie", "song"}) }, `type is "book", want one of: movie, song`},
		"all mistakes":       {func(f *validate.Fields) { f.ID("id", ""); f.Range("value", 6, 1, 5) }, "id is empty, want 1 to 128 characters; value is 6, want 1 to 5"},
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
