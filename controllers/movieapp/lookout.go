package movieapp

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"movieexample.com/fleet/api/v1alpha1"
)

// lookout remembers what was found out about certificates, so that not every turn of an application reads all their Secrets.
// Its memory is lost with the process: after a restart each application is looked at once.
type lookout struct {
	mu    sync.Mutex
	known map[types.UID]sighting
}

// sighting is what one look at an application found, and of which spec.
type sighting struct {
	generation int64
	services   []string
	due        time.Time
	found      certified
}

// recall is what was found, if it still holds; nil if it is time to look.
func (l *lookout) recall(app *v1alpha1.MovieApp, services []string, now time.Time) *certified {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.known[app.UID]
	if !ok || s.generation != app.Generation || !slices.Equal(s.services, services) || !now.Before(s.due) {
		return nil
	}
	found := s.found
	found.wait = s.due.Sub(now)
	return &found
}

func (l *lookout) keep(app *v1alpha1.MovieApp, services []string, now time.Time, found certified) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		l.known = map[types.UID]sighting{}
	}
	l.known[app.UID] = sighting{generation: app.Generation, services: services, due: now.Add(found.wait), found: found}
}

func (l *lookout) forget(app *v1alpha1.MovieApp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, app.UID)
}
