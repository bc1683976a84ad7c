package deployment

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTarget(t *testing.T) {
	three := Target{
		"metadata": {GRPC: "fleet:8081", REST: "fleet:8181"}, "rating": {GRPC: "fleet:8082", REST: "fleet:8182"},
		"movie": {GRPC: "fleet:8083", REST: "fleet:8183"},
	}
	all := maps.Clone(three)
	all["auth"] = Addresses{GRPC: "fleet:8084", REST: "fleet:8184"}
	const list = "movie=fleet:8083/fleet:8183,metadata=fleet:8081/fleet:8181,rating=fleet:8082/fleet:8182"
	for name, test := range map[string]struct {
		text string
		want Target
	}{
		"a host": {"fleet", all}, "a list": {list, three}, "a list with auth": {list + ",auth=fleet:8084/fleet:8184", all},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseTarget(test.text)
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("ParseTarget(%q) = %v (-want +got):\n%s", test.text, err, diff)
			}
		})
	}
}

func TestParseTargetMistakes(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":         {"", "give a host"},
		"a URL":           {"http://fleet", "give a host"},
		"a port":          {"fleet:8081", "give a host"},
		"another service": {"films=a:1/a:2", `"films=a:1/a:2": write`},
		"one address":     {"movie=a:1", "write SERVICE=HOST:PORT/HOST:PORT"},
		"one is missing":  {"movie=a:1/a:2,rating=a:1/a:2", "does not say where metadata is"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseTarget(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ParseTarget(%q) = %v, want %q in it", test.text, err, test.want)
			}
		})
	}
}
