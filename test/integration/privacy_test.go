//go:build integration

package integration_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ratingv1 "movieexample.com/fleet/services/proto/rating/v1"
)

// user runs `rating user …` in the environment of the service's pod.
func user(t *testing.T, binding string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "rating"), append([]string{"user"}, args...)...)
	cmd.Env = []string{"RATING_STORAGE_KIND=mysql", "SERVICE_BINDING_ROOT=" + filepath.Dir(binding)}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// What is kept of a user is shown and removed beside the service that serves it.
func TestWhatIsKeptOfAUser(t *testing.T) {
	binding := migrated(t, "rating")
	rating := serve(t, "rating", mysqlStorage, binding)
	rating.wantReady(t)
	f := fleet{rating: rating}
	f.rate(t, "ann@example.com", 5, time.Now())
	f.rate(t, "ben", 2, time.Now())

	out, _, err := user(t, binding, "export", "ann@example.com")
	if err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("user export = %v: %s, want one line", err, out)
	}
	line := fields(t, out)
	if line["kind"] != "rating" || line["userId"] != "ann@example.com" || line["recordId"] != "tt1" || line["value"] != 5.0 || line["deleted"] != false {
		t.Errorf("user export = %s, want the rating of 5", out)
	}

	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"without --yes": {[]string{"erase", "ann@example.com"}, "nothing was changed: say --yes to erase 1 ratings, 0 deletions"},
		"no id":         {[]string{"erase", "a b", "--yes"}, "user_id"},
		"nobody":        {[]string{"erase", "--yes"}, "accepts 1 arg"},
	} {
		if out, errs, err := user(t, binding, c.args...); err == nil || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("user erase %s = %v: %s%s, want a failure that says %q", name, err, out, errs, c.want)
		}
	}
	rating.wantJSON(t, http.MethodGet, "/v1/ratings/movie/tt1", "", http.StatusOK, map[string]any{"ratingValue": 3.5, "count": "2", "stale": false})

	for _, want := range []string{"Erased 1 ratings, 0 deletions", "Erased 0 ratings, 0 deletions"} {
		if out, errs, err := user(t, binding, "erase", "ann@example.com", "--yes"); err != nil || !strings.HasPrefix(out, want) {
			t.Errorf("user erase = %v: %s%s, want %q", err, out, errs, want)
		}
	}
	rating.wantJSON(t, http.MethodGet, "/v1/ratings/movie/tt1", "", http.StatusOK, map[string]any{"ratingValue": 2.0, "count": "1", "stale": false})
	if out, _, err := user(t, binding, "export", "ann@example.com"); err != nil || out != "" {
		t.Errorf("user export after the erasure = %v: %s, want nothing", err, out)
	}
	if got := f.rate(t, "ann@example.com", 4, time.Now()); got != ratingv1.WriteOutcome_WRITE_OUTCOME_APPLIED {
		t.Errorf("rating after the erasure = %v, want applied: nothing is left that it could lose against", got)
	}
}
