package movieapp

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"movieexample.com/fleet/api/v1alpha1"
	"movieexample.com/fleet/controllers/internal/bindings"
)

// TestNarrations tells whole releases, a line for each thing that happens. The stories are in testdata.
func TestNarrations(t *testing.T) {
	tag := func(tag string) func(*v1alpha1.MovieAppSpec) {
		return func(s *v1alpha1.MovieAppSpec) { s.Image.Tag = tag }
	}
	up := func(w *world) {
		w.reconcile()
		w.serve("metadata", "rating", "movie")
		w.reconcile()
	}
	for name, script := range map[string]func(*world){
		"release-in-order": func(w *world) {
			up(w)
			w.change("tag v2", tag("v2"))
			w.reconcile()
			w.becomes("metadata", "Migrating", false, "the database is brought up to date")
			w.reconcile()
			w.serve("rating")
			w.reconcile()
			w.serve("metadata")
			w.reconcile()
			w.serve("movie")
			w.reconcile()
		},
		"stuck-dependency-holds-the-rest": func(w *world) {
			up(w)
			w.change("tag broken", tag("broken"))
			w.reconcile()
			w.serve("rating")
			w.becomes("metadata", "TakenBack", true, "revision b (metadata:broken) was taken back: exit code 1. a serves")
			w.reconcile()
			w.change("movie to 5 replicas", setReplicas("movie", 5))
			w.reconcile()
			w.serve("movie")
			w.reconcile()
			w.change("tag v2", tag("v2"))
			w.reconcile()
			w.serve("metadata", "rating")
			w.reconcile()
			w.serve("movie")
			w.reconcile()
		},
		"canaries-in-order": func(w *world) {
			up(w)
			w.change("tag v2", tag("v2"))
			w.reconcile()
			w.tries("metadata", 1)
			w.tries("rating", 5)
			w.reconcile()
			w.becomes("metadata", "Baking", false, "2 of 2 pods ready; a stays warm until 12:00:00 UTC")
			w.tries("rating", 50)
			w.reconcile()
			w.becomes("rating", "Baking", false, "2 of 2 pods ready; a stays warm until 12:00:00 UTC")
			w.reconcile()
			w.tries("movie", 20)
			w.reconcile()
			w.serve("metadata", "rating", "movie")
			w.reconcile()
		},
		"convicted-in-its-bake": func(w *world) {
			up(w)
			w.change("tag v2", tag("v2"))
			w.reconcile()
			w.serve("metadata")
			w.becomes("rating", "Baking", false, "2 of 2 pods ready; a stays warm until 12:00:00 UTC")
			w.reconcile()
			w.tries("movie", 5)
			w.becomes("rating", "TakenBack", true, "revision b (rating:v2) was taken back: 31 of 60 bad against 1 of 58 (Worse). a serves")
			w.reconcile()
			w.serve("movie")
			w.reconcile()
		},
		"convicted-beside-one-that-goes-on": func(w *world) {
			up(w)
			w.change("tag v2, and a service of its own", func(s *v1alpha1.MovieAppSpec) {
				s.Image.Tag = "v2"
				s.Services["search"] = v1alpha1.MovieAppService{}
			})
			w.reconcile()
			w.serve("search")
			w.tries("metadata", 5)
			w.becomes("rating", "TakenBack", true, "revision b (rating:v2) was taken back: 9 of 31 bad against 1 of 588 (Worse). a serves")
			w.reconcile()
			w.serve("metadata")
			w.reconcile()
		},
		"paused": func(w *world) {
			up(w)
			w.change("rollout.paused, and tag v2", func(s *v1alpha1.MovieAppSpec) {
				s.Image.Tag, s.Rollout = "v2", &v1alpha1.RolloutPolicy{Paused: new(true)}
			})
			w.reconcile()
			for _, name := range []string{"metadata", "rating"} {
				w.becomes(name, "Paused", false, "revision b ("+name+":v2) waits: rollout.paused is set")
			}
			w.becomes("movie", "Serving", false, "2 of 2 pods ready")
			w.reconcile()
		},
		"removed-after-the-bake": func(w *world) {
			up(w)
			w.change("rating is removed", func(s *v1alpha1.MovieAppSpec) { delete(s.Services, "rating") })
			w.reconcile()
			w.becomes("movie", "Baking", false, "2 of 2 pods ready; a stays warm until 12:00:00 UTC")
			w.reconcile()
			w.serve("movie")
			w.reconcile()
		},
		"service-removed": func(w *world) {
			up(w)
			w.change("rating is removed", func(s *v1alpha1.MovieAppSpec) { delete(s.Services, "rating") })
			w.reconcile()
			w.serve("movie")
			w.reconcile()
		},
		"secret-missing": func(w *world) {
			w.reports["rating"] = bindings.Report{Problems: []bindings.Problem{{Message: `key "password" of Secret "rating-mysql" is missing: add it`}}}
			w.reconcile()
			w.serve("metadata", "movie")
			w.reconcile()
			delete(w.reports, "rating")
			w.note("user: adds the key")
			w.reconcile()
			w.serve("rating")
			w.reconcile()
		},
		"shared-database": func(w *world) {
			w.reports["rating"] = bindings.Report{Ready: true, MySQL: &bindings.MySQL{Host: "db", Port: 3306, Database: "metadata"}}
			w.reconcile()
			w.change("both permit it", func(s *v1alpha1.MovieAppSpec) {
				for _, name := range []string{"metadata", "rating"} {
					s.Services[name].Bindings.MySQL.AllowShared = true
				}
			})
			w.reconcile()
		},
		"secret-unreadable": func(w *world) {
			up(w)
			w.blind["rating"] = "get Secret cinema/rating-mysql: connection refused"
			w.note("the API server does not answer for rating's Secret")
			w.reconcile()
			w.change("tag v2", tag("v2"))
			w.reconcile()
			delete(w.blind, "rating")
			w.note("it answers again")
			w.reconcile()
		},
		"name-taken": func(w *world) {
			w.foreign["movies-rating"] = true
			w.reconcile()
		},
		"circle": func(w *world) {
			up(w)
			w.change("rating depends on movie", func(s *v1alpha1.MovieAppSpec) {
				rating := s.Services["rating"]
				rating.DependsOn = []string{"movie"}
				s.Services["rating"] = rating
			})
			w.reconcile()
		},
		"deleted-by-hand": func(w *world) {
			up(w)
			now := metav1.Now()
			w.live["movies-rating"].DeletionTimestamp = &now
			w.note("somebody deletes FleetService movies-rating")
			w.reconcile()
			delete(w.live, "movies-rating")
			w.note("it is gone")
			w.reconcile()
		},
		"replicas-left-out": func(w *world) {
			up(w)
			for _, fs := range w.live {
				fs.ManagedFields = []metav1.ManagedFieldsEntry{{
					Manager: fieldManager, Operation: metav1.ManagedFieldsOperationApply,
					FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:image":{},"f:replicas":{}}}`),
				}}
			}
			w.change("an autoscaler gets movie's replicas", func(s *v1alpha1.MovieAppSpec) {
				movie := s.Services["movie"]
				movie.Replicas = nil
				s.Services["movie"] = movie
			})
			o := w.observe()
			w.tell(decide(o))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			script(w)
			golden(t, name+".txt", w.story.String())
		})
	}
}
