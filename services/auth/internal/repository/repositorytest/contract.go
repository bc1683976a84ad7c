package repositorytest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"movieexample.com/fleet/services/auth/internal/model"
	"movieexample.com/fleet/services/internal/problem"
)

var start = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

// Repository is what the tests ask of an implementation.
type Repository interface {
	Get(ctx context.Context, name string) (model.User, error)
	Add(ctx context.Context, u model.User) error
	Change(ctx context.Context, name string, change func(*model.User)) error
}

// Run tests what makes, a new and empty repository for each test.
func Run(t *testing.T, makeNew func(t *testing.T) Repository) {
	for name, test := range map[string]func(*testing.T, Repository){
		"nobody is NotFound":        nobodyIsNotFound,
		"add, get, change":          addGetChange,
		"a name has one user":       aNameHasOneUser,
		"names are apart":           namesAreApart,
		"callers keep their slices": callersKeepTheirSlices,
		"changes at once all count": changesAtOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, makeNew(t)) })
	}
}

func user(name string) model.User {
	return model.User{
		Name: name, Hash: "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		Roles: []string{"editor", "viewer"}, CreateTime: start, UpdateTime: start,
	}
}

func add(t *testing.T, r Repository, u model.User) {
	t.Helper()
	if err := r.Add(t.Context(), u); err != nil {
		t.Fatalf("Add(%s) = %v, want nil", u.Name, err)
	}
}

func wantUser(t *testing.T, r Repository, want model.User) {
	t.Helper()
	got, err := r.Get(t.Context(), want.Name)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("Get(%s) = %v (-want +got):\n%s", want.Name, err, diff)
	}
}

func nobodyIsNotFound(t *testing.T, r Repository) {
	if _, err := r.Get(t.Context(), "ann"); problem.KindOf(err) != problem.NotFound {
		t.Errorf("Get = %v, want NotFound", err)
	}
	err := r.Change(t.Context(), "ann", func(*model.User) { t.Error("change was called for nobody") })
	if problem.KindOf(err) != problem.NotFound {
		t.Errorf("Change = %v, want NotFound", err)
	}
}

func addGetChange(t *testing.T, r Repository) {
	u := user("ann")
	add(t, r, u)
	wantUser(t, r, u)
	plain := user("ben+2@example.com")
	plain.Roles = nil
	add(t, r, plain)
	wantUser(t, r, plain)

	u.Hash, u.Roles, u.Disabled, u.UpdateTime = "other", []string{"viewer"}, true, start.Add(time.Hour)
	err := r.Change(t.Context(), "ann", func(stored *model.User) {
		stored.Hash, stored.Roles, stored.Disabled, stored.UpdateTime = u.Hash, u.Roles, u.Disabled, u.UpdateTime
	})
	if err != nil {
		t.Errorf("Change = %v, want nil", err)
	}
	wantUser(t, r, u)
	wantUser(t, r, plain)
}

func aNameHasOneUser(t *testing.T, r Repository) {
	add(t, r, user("ann"))
	other := user("ann")
	other.Hash = "other"
	if err := r.Add(t.Context(), other); problem.KindOf(err) != problem.Invalid {
		t.Errorf("Add of a name that is taken = %v, want Invalid", err)
	}
	wantUser(t, r, user("ann"))
}

func namesAreApart(t *testing.T, r Repository) {
	lower, upper := user("ann"), user("Ann")
	upper.Disabled = true
	add(t, r, lower)
	add(t, r, upper)
	wantUser(t, r, lower)
	wantUser(t, r, upper)
}

func callersKeepTheirSlices(t *testing.T, r Repository) {
	u := user("ann")
	add(t, r, u)
	u.Roles[0] = "changed"
	got, err := r.Get(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	got.Roles[0] = "changed too"
	wantUser(t, r, user("ann"))
}

func changesAtOnce(t *testing.T, r Repository) {
	u := user("ann")
	u.Roles = nil
	add(t, r, u)
	var group sync.WaitGroup
	const changes = 16
	for i := range changes {
		group.Go(func() {
			err := r.Change(context.WithoutCancel(t.Context()), "ann", func(u *model.User) { u.Roles = append(u.Roles, fmt.Sprint("r", i)) })
			if err != nil {
				t.Errorf("Change = %v, want nil", err)
			}
		})
	}
	group.Wait()
	if got, err := r.Get(t.Context(), "ann"); err != nil || len(got.Roles) != changes {
		t.Errorf("Get = %d roles, %v, want all %d that were added", len(got.Roles), err, changes)
	}
}
