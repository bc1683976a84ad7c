package verdict

import (
	"slices"
	"testing"
)

func TestAgainst(t *testing.T) {
	quiet, bad := look(pod("s", 180, 0), pod("a", 20, 0)), look(pod("s", 180, 0), pod("a", 20, 4))
	outage := look(pod("s", 180, 90), pod("a", 20, 10))
	for _, c := range []struct {
		name  string
		looks []Look
		want  int
	}{
		{"nothing seen", nil, 0},
		{"quiet looks", times(9, quiet), 0},
		{"bad looks", times(2, bad), 2},
		{"quiet looks between", []Look{bad, quiet, quiet, bad}, 2},
		{"an outage takes it all back", []Look{bad, outage, outage, bad}, 0},
		{"dead", []Look{look(pod("s", 180, 0), pod("a", 20, 20))}, singlePodLooks},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t, errorsOnly())
			observe(t, r, slices.Clone(c.looks)...)
			if got := r.State().Against; got != c.want {
				t.Errorf("%d looks speak against the canary, want %d (log E %g)", got, c.want, r.LogE())
			}
		})
	}
}
