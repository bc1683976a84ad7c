package scrape

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"google.golang.org/protobuf/testing/protocmp"
	"k8s.io/utils/clock"
)

// FuzzPage feeds pages that no program would write. Each gives families or words, within bounds and without a panic; and
// where Prometheus' parser reads the whole page, what is kept is what it finds in it.
func FuzzPage(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "a", "a 1", "a{", "a{b=\"\\\"}\"} 1 2\n", "# TYPE a histogram\na_bucket{le=\"1\"} NaN\na_count 1e300\n",
		"# TYPE a counter\na 1\n# TYPE a counter\n", "# TYPE a summary\na{quantile=\"0.5\"} -1\na_count NaN\n", "\x00\xff\n", "a +Inf\nb -Inf\n",
		"#TYPE a Counter\na 0\n", "#\tTYPE\ta\thistogram\na_bucket{le=\"0.1\"} 1\na_count 2\n", "  a 1\n\ta 2\n", "a{x=\"1\n\"} 1\n", "# TYPE a histogram\na_count+00000\n",
	} {
		f.Add([]byte(seed))
	}
	s := New(Limits{Bytes: 4096, Series: 16}, clock.RealClock{})
	f.Fuzz(func(t *testing.T, page []byte) {
		want := func(family string) bool { return family == "a" }
		kept, err := s.filter(bytes.NewReader(page), want)
		if err != nil {
			return
		}
		families, err := parse(kept)
		if err != nil {
			if !utf8.ValidString(err.Error()) || len(err.Error()) > 1000 {
				t.Errorf("parse(%q) = %q, want words that can be stored", kept, err)
			}
			return
		}
		series := 0
		for name, family := range families {
			series += len(family.GetMetric())
			if name != "a" && name != "a_bucket" && name != "a_count" && name != "a_sum" {
				t.Errorf("family %q of %q was kept, want only a", name, page)
			}
		}
		if series > 16 {
			t.Errorf("%d series of %q were kept, want at most 16", series, page)
		}
		whole := expfmt.NewTextParser(model.LegacyValidation)
		if all, err := whole.TextToMetricFamilies(bytes.NewReader(page)); err == nil {
			if diff := cmp.Diff(of(all, "a"), of(families, "a"), protocmp.Transform(), cmpopts.EquateNaNs(), protocmp.IgnoreFields(&dto.MetricFamily{}, "help")); diff != "" {
				t.Errorf("what is kept of %q is not what it holds (-whole +kept):\n%s", page, diff)
			}
		}
	})
}

func of(families map[string]*dto.MetricFamily, name string) *dto.MetricFamily { return families[name] }
