package flags

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string]bool
		err  string
	}{
		"two":            {"recommendations: true\nother: false\n", map[string]bool{"recommendations": true, "other": false}, ""},
		"JSON":           {`{"recommendations": true}`, map[string]bool{"recommendations": true}, ""},
		"none":           {"{}", map[string]bool{}, ""},
		"nothing":        {"", nil, "it holds nothing: write {} to set no flag"},
		"a comment":      {"# recommendations: true\n", nil, "it holds nothing: write {} to set no flag"},
		"cut short":      {"recommendations: tr", nil, `recommendations in line 1 is "tr": write true or false`},
		"cut in a name":  {"recomm", nil, "it is not a mapping of flags to true or false, such as {recommendations: true}"},
		"cut in a quote": {`{"recommendations": "`, nil, "it is not YAML: yaml: found unexpected end of stream"},
		"several":        {"a: yes\nb: 1\nc: [true]\nd:\ne: \"true\"\n", nil, `a in line 1 is "yes": write true or false; b in line 2 is "1": write true or false; c in line 3 is a list or a mapping: write true or false; d in line 4 is "": write true or false; e in line 5 is "true": write true or false`},
		"twice":          {"a: true\nb: true\na: false\n", nil, "a in line 3 is set in line 1 already"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(c.text)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" || text != c.err {
				t.Errorf("parse(%q) = %v (-want +got):\n%s\nerror %s\nwant  %s", c.text, got, diff, text, c.err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"a: true", "{}", "", "a: *b", "&a a: *a", "? [x]\n: true", "<<: {a: true}", "---\n---\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if flags, err := parse(text); (flags == nil) == (err == nil) {
			t.Errorf("parse(%q) = %v, %v, want either flags or an error", text, flags, err)
		}
	})
}
