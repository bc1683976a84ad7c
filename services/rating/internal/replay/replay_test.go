package replay

import (
	"testing"
	"time"

	"movieexample.com/fleet/services/rating/internal/deadletter"
)

func TestFilter(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	letter := deadletter.Letter{Cause: deadletter.CausePanic}
	for name, c := range map[string]struct {
		filter Filter
		want   bool
	}{
		"all":           {Filter{}, true},
		"its cause":     {Filter{Causes: []string{"invalid", "panic"}}, true},
		"another cause": {Filter{Causes: []string{"invalid"}}, false},
		"since then":    {Filter{Since: noon}, true},
		"since later":   {Filter{Since: noon.Add(1)}, false},
		"until then":    {Filter{Until: noon}, false},
		"until later":   {Filter{Until: noon.Add(1)}, true},
	} {
		if got := c.filter.means(letter, noon); got != c.want {
			t.Errorf("%s: means() = %v, want %v", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		filter Filter
		good   bool
	}{
		"nothing said":     {Filter{}, true},
		"causes":           {Filter{Causes: []string{"expired", "unparsable"}}, true},
		"no cause":         {Filter{Causes: []string{"bad"}}, false},
		"an hour":          {Filter{Since: noon, Until: noon.Add(time.Hour)}, true},
		"an hour backward": {Filter{Since: noon, Until: noon.Add(-time.Hour)}, false},
	} {
		if err := c.filter.Check(); (err == nil) != c.good {
			t.Errorf("%s: Check() = %v, want it good: %v", name, err, c.good)
		}
	}
}
