//go:build envtest

package traffic_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/controllers/fleetservice/traffic"
	"movieexample.com/fleet/controllers/internal/apply"
)

const (
	labelService  = "fleet.movieexample.com/service"
	labelRevision = "fleet.movieexample.com/revision"
)

func (s *stage) objects() *traffic.ServiceObjects {
	return traffic.NewServiceObjects(s.counted, s.apply)
}

// selected is which revision a Service object selects: all of them for none.
func (s *stage) selected(name string) string {
	s.t.Helper()
	selector := get(s, name, &corev1.Service{}).Spec.Selector
	if selector[labelService] != "movie" || len(selector) > 2 {
		s.t.Errorf("Service %s selects %v, want pods of movie", name, selector)
	}
	if selector[labelRevision] == "" {
		return "all"
	}
	return selector[labelRevision]
}

func TestServiceObjectsMove(t *testing.T) {
	for what, policy := range map[string]string{"through Consul": `{}`, "by pods": `{eastWest: Replicas}`} {
		t.Run(what, func(t *testing.T) {
			s := newStage(t, policy)
			o := s.objects()
			s.follows(o, splitOf("aaaa", "", 0), false) // nothing is there yet
			mixed := map[string]string{`{}`: "aaaa", `{eastWest: Replicas}`: "all"}[policy]
			for _, step := range []struct {
				name         string
				split        traffic.Split
				main, canary string
				same         bool // as the step before
			}{
				{"the first revision", splitOf("aaaa", "", 0), "aaaa", "aaaa", false},
				{"a canary without a share", splitOf("aaaa", "bbbb", 0), "aaaa", "bbbb", false},
				{"with one percent", splitOf("aaaa", "bbbb", 1), mixed, "bbbb", mixed == "aaaa"},
				{"with half", splitOf("aaaa", "bbbb", 50), mixed, "bbbb", true},
				{"promoted", splitOf("bbbb", "", 0), "bbbb", "bbbb", false},
			} {
				s.follows(o, step.split, step.same)
				s.move(o, step.split)
				s.follows(o, step.split, true)
				if got := [2]string{s.selected("movie"), s.selected("movie-canary")}; got != [2]string{step.main, step.canary} {
					t.Errorf("%s: movie and movie-canary select %q, want %s and %s", step.name, got, step.main, step.canary)
				}
				s.writes = 0
				s.move(o, step.split)
				if s.writes != 0 {
					t.Errorf("%s: %d writes though nothing changed", step.name, s.writes)
				}
			}
		})
	}
}

// TestServiceObjectsPortsForRoutes: routes name these ports.
func TestServiceObjectsPortsForRoutes(t *testing.T) {
	s := newStage(t, `{}`)
	s.move(s.objects(), splitOf("aaaa", "bbbb", 1))
	for _, name := range []string{"movie", "movie-canary"} {
		got := map[string]int32{}
		for _, p := range get(s, name, &corev1.Service{}).Spec.Ports {
			got[p.Name] = p.Port
		}
		if diff := cmp.Diff(map[string]int32{"grpc": 8083, "http": 8183, "admin": 8090}, got); diff != "" {
			t.Errorf("ports of %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestServiceObjectsHandEditIsRestored(t *testing.T) {
	s := newStage(t, `{}`)
	o, split := s.objects(), splitOf("aaaa", "bbbb", 5)
	s.move(o, split)
	for name, selector := range map[string]map[string]string{
		"movie":        {labelService: "movie", labelRevision: "bbbb"},
		"movie-canary": {labelService: "movie"},
	} {
		t.Run(name, func(t *testing.T) {
			edit(s, name, &corev1.Service{}, func(o *corev1.Service) { o.Spec.Selector = selector })
			s.follows(o, split, false)
			s.move(o, split)
			s.follows(o, split, true)
		})
	}
}

func TestServiceObjectsLeaveAUsersAlone(t *testing.T) {
	s := newStage(t, `{}`)
	o, split := s.objects(), splitOf("aaaa", "", 0)
	theirs := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.fs.Namespace, Name: "movie"}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{labelService: "movie", labelRevision: "aaaa"}, Ports: []corev1.ServicePort{{Port: 80}},
	}}
	if err := s.c.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	var taken *apply.NameTaken
	if err := o.Move(t.Context(), s.target(), split); !errors.As(err, &taken) {
		t.Errorf("Move over a user's Service object = %v, want NameTaken", err)
	}
	s.follows(o, split, false)
	if now := get(s, "movie", &corev1.Service{}); now.ResourceVersion != theirs.ResourceVersion {
		t.Error("the user's Service object was touched")
	}
}
