package rewind

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]Target{
		"earliest":             {kind: earliest},
		"latest":               {kind: latest},
		"17":                   {kind: atOffset, offset: 17},
		"2026-11-21T10:00:00Z": {kind: atTime, at: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)},
	} {
		got, err := ParseTarget(text)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Target{})); err != nil || diff != "" {
			t.Errorf("ParseTarget(%q) = %v (-want +got):\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"", "-1", "yesterday", "Earliest", "2026-11-21"} {
		if _, err := ParseTarget(text); err == nil || !strings.Contains(err.Error(), "use earliest, latest") {
			t.Errorf("ParseTarget(%q) = %v, want a sentence that says what there is", text, err)
		}
	}
}
