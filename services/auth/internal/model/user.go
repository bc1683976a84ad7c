package model

import (
	"time"

	"movieexample.com/fleet/services/internal/problem"
)

// User is somebody who may get tokens.
type User struct {
	Name     string
	Hash     string // of the password, in PHC string format
	Roles    []string
	Disabled bool // gets no tokens

	CreateTime time.Time
	UpdateTime time.Time
}

// NotFound says that there is no such user. It is for administrators: who logs in does not learn it.
func NotFound(name string) error { return problem.NewNotFound("there is no user %q", name) }

// Exists says that there is such a user already.
func Exists(name string) error {
	return problem.NewInvalid([]problem.Violation{{Field: "name", Description: "is that of a user who is there already: " + name}})
}
