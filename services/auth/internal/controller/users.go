package controller

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"movieexample.com/fleet/services/auth/internal/model"
	"movieexample.com/fleet/services/internal/validate"
)

// minPassword is NIST SP 800-63B's least length, in characters.
const minPassword = 8

// Store keeps users, for those who look after them. Change is NotFound for a user who is not there, Add refuses one who is.
type Store interface {
	Add(ctx context.Context, u model.User) error
	Change(ctx context.Context, name string, change func(*model.User)) error
}

// Hasher makes what is stored of a password.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
}

// Admin looks after users.
type Admin struct {
	store  Store
	hasher Hasher
	roles  []string
	now    func() time.Time
}

// NewAdmin takes the roles that there are, and the clock.
func NewAdmin(store Store, hasher Hasher, roles []string, now func() time.Time) *Admin {
	return &Admin{store: store, hasher: hasher, roles: slices.Clone(roles), now: now}
}

// Add makes a user who may log in at once. The name is one that a login may have.
func (a *Admin) Add(ctx context.Context, name, password string, roles []string) error {
	var fields validate.Fields
	checkPassword(&fields, password)
	a.checkRoles(&fields, roles)
	if err := fields.Err(); err != nil {
		return err
	}
	hash, err := a.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	now := a.moment()
	return a.store.Add(ctx, model.User{Name: name, Hash: hash, Roles: set(roles), CreateTime: now, UpdateTime: now})
}

// SetPassword replaces a user's password. Tokens that are out stay good until they expire.
func (a *Admin) SetPassword(ctx context.Context, name, password string) error {
	var fields validate.Fields
	checkPassword(&fields, password)
	if err := fields.Err(); err != nil {
		return err
	}
	hash, err := a.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	return a.change(ctx, name, func(u *model.User) { u.Hash = hash })
}

// SetRoles gives a user these roles and no others.
func (a *Admin) SetRoles(ctx context.Context, name string, roles []string) error {
	var fields validate.Fields
	a.checkRoles(&fields, roles)
	if err := fields.Err(); err != nil {
		return err
	}
	return a.change(ctx, name, func(u *model.User) { u.Roles = set(roles) })
}

// SetDisabled keeps a user from getting tokens, or lets them again.
func (a *Admin) SetDisabled(ctx context.Context, name string, disabled bool) error {
	return a.change(ctx, name, func(u *model.User) { u.Disabled = disabled })
}

func (a *Admin) change(ctx context.Context, name string, change func(*model.User)) error {
	now := a.moment()
	return a.store.Change(ctx, name, func(u *model.User) {
		change(u)
		u.UpdateTime = now
	})
}

// moment has the precision that is stored.
func (a *Admin) moment() time.Time { return a.now().UTC().Truncate(time.Microsecond) }

func (a *Admin) checkRoles(fields *validate.Fields, roles []string) {
	for _, role := range roles {
		fields.OneOf("role", role, a.roles)
	}
}

func checkPassword(fields *validate.Fields, password string) {
	if n := utf8.RuneCountInString(password); n < minPassword {
		fields.Fail("password", "has %d characters, want at least %d", n, minPassword)
	}
}

// set is sorted and holds each role once.
func set(roles []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(roles)))
}
