//go:build integration

package integration_test

import (
	"strings"
	"testing"
)

func TestSchemaTellsItsVersion(t *testing.T) {
	for _, name := range []string{"metadata", "rating"} {
		t.Run(name, func(t *testing.T) {
			binding := server.Database(t)
			for _, step := range []struct{ before, want string }{
				{"", "current 0, wanted "}, {"migrate", "it is what this program wants"},
			} {
				if step.before != "" {
					if err := launch(t, name, "", binding, step.before).wait(t); err != nil {
						t.Fatalf("%s = %v, want exit code 0", step.before, err)
					}
				}
				p := launch(t, name, "", binding, "schema")
				if err := p.wait(t); err != nil || !strings.Contains(p.log.String(), step.want) {
					t.Errorf("schema after %q = %v, %s, want %q", step.before, err, &p.log, step.want)
				}
			}
		})
	}
}
