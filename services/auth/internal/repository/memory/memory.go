package memory

import (
	"context"
	"slices"
	"sync"

	"movieexample.com/fleet/services/auth/internal/model"
)

// Repository is gone with the process. It is safe for concurrent use.
type Repository struct {
	mu    sync.RWMutex
	users map[string]model.User
}

// New is an empty repository.
func New() *Repository { return &Repository{users: map[string]model.User{}} }

// Get is the user of this name; NotFound if there is none.
func (r *Repository) Get(_ context.Context, name string) (model.User, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	u, ok := r.users[name]
	if !ok {
		return model.User{}, model.NotFound(name)
	}
	return clone(u), nil
}

// Add keeps a new user.
func (r *Repository) Add(_ context.Context, u model.User) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.users[u.Name]; ok {
		return model.Exists(u.Name)
	}
	r.users[u.Name] = clone(u)
	return nil
}

// Change changes a user who is there.
func (r *Repository) Change(_ context.Context, name string, change func(*model.User)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	u, ok := r.users[name]
	if !ok {
		return model.NotFound(name)
	}
	u = clone(u)
	change(&u)
	r.users[name] = u
	return nil
}

func clone(u model.User) model.User {
	u.Roles = slices.Clone(u.Roles)
	return u
}
