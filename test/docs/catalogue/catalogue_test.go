package catalogue

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "# Metrics\n\n" +
	"| metric | type | labels | shown by | meaning |\n|---|---|---|---|---|\n" +
	"| `calls_total` | counter | `outcome` (done, failed), `revision` (*revision*) | movie | Calls. |\n" +
	"| `waiting` | gauge | – | movie, rating | Waiting. |\n" +
	"| `go_*` | – | – | movie | Go. |\n\n" +
	"| kind | form | bounded by |\n|---|---|---|\n" +
	"| *revision* | `[a-z0-9]*` | releases |\n"

func TestCheck(t *testing.T) {
	c, err := parse(page)
	if err != nil {
		t.Fatal(err)
	}
	const whole = "# TYPE calls_total counter\ncalls_total{outcome=\"done\",revision=\"abc\"} 1\n# TYPE waiting gauge\nwaiting 1\n# TYPE go_threads gauge\ngo_threads 3\n"
	for name, test := range map[string]struct {
		shown string
		want  []string
	}{
		"as documented":    {whole, nil},
		"a new metric":     {whole + "# TYPE x counter\nx 1\n", []string{"x is shown and not documented for this program"}},
		"a missing metric": {strings.Replace(whole, "waiting 1", "", 1), []string{"waiting is documented and not shown"}},
		"a missing family": {strings.Replace(whole, "go_threads 3", "", 1), []string{"go_* is documented and nothing of it is shown"}},
		"another type":     {strings.Replace(whole, "waiting gauge", "waiting counter", 1), []string{"waiting is a counter, and a gauge in the document"}},
		"a new value": {strings.Replace(whole, `"done"`, `"lost"`, 1),
			[]string{`calls_total{outcome="lost"}: the document has the values done, failed`}},
		"a value of no such kind": {strings.Replace(whole, `"abc"`, `"/v1/x"`, 1),
			[]string{`calls_total{revision="/v1/x"}: the document has the values *revision*`}},
		"a new label": {strings.Replace(whole, "waiting 1", `waiting{user="105"} 1`, 1),
			[]string{"waiting has the label user, which is not documented"}},
		"a missing label": {strings.Replace(whole, `outcome="done",`, "", 1), []string{"calls_total has no label outcome, which is documented"}},
	} {
		t.Run(name, func(t *testing.T) {
			shown, err := Parse(strings.NewReader(test.shown))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, append(c.Check("movie", shown), c.Missing("movie", shown)...)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMetricOfAnotherProgram(t *testing.T) {
	c, err := parse(page)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := Parse(strings.NewReader("# TYPE go_threads gauge\ngo_threads 3\n# TYPE waiting gauge\nwaiting 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"go_threads is shown and not documented for this program"}
	if diff := cmp.Diff(want, c.Check("rating", shown)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestDocumentWithMistakes(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no rows":              {"# Metrics\n", "it has no rows of metrics"},
		"a kind without bound": {strings.Replace(page, "| *revision* | `[a-z0-9]*` | releases |\n", "", 1), "no row says what bounds values of the kind revision"},
		"a kind of nobody":     {page + "| *user* | `.*` | nothing |\n", "no label has values of the kind user"},
		"a label without form": {strings.Replace(page, "`outcome` (done, failed)", "outcome", 1), "labels are written"},
		"a row twice":          {page + "| `waiting` | gauge | – | movie | Again. |\n", "waiting has two rows"},
		"a row without cells":  {page + "| `more` | gauge |\n", "not a row of metric"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("parse = %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestTheDocumentCanBeRead(t *testing.T) {
	c, err := Read("../../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"metadata", "rating", "movie", "auth", "operator"} {
		if len(c.Of(program)) == 0 {
			t.Errorf("the document has no metric of %s", program)
		}
	}
}
