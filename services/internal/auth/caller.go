package auth

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"movieexample.com/fleet/services/internal/problem"
)

// RoleEditor may change what is known about movies.
const RoleEditor = "editor"

// Caller is whose token came with a call.
type Caller struct {
	Subject string
	Roles   []string
}

// Has tells whether the caller has the role.
func (c Caller) Has(role string) bool { return slices.Contains(c.Roles, role) }

type callerKey struct{}

// WithCaller notes who calls.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// FromContext is who calls; false if no token was asked for.
func FromContext(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// Subject is whose token came with a call, "" if none was asked for.
func Subject(ctx context.Context) string {
	c, _ := FromContext(ctx)
	return c.Subject
}

// own makes the request one about the caller, or is Denied if it is about somebody else.
func (c Caller) own(req any, field protoreflect.Name) error {
	m, ok := req.(proto.Message)
	if !ok {
		return problem.NewDenied("nobody can tell whom the request is about")
	}
	message := m.ProtoReflect()
	user := message.Descriptor().Fields().ByName(field)
	if user == nil {
		return problem.NewDenied("nobody can tell whom the request is about")
	}
	switch message.Get(user).String() {
	case c.Subject:
		return nil
	case "":
		message.Set(user, protoreflect.ValueOfString(c.Subject))
		return nil
	default:
		return problem.NewDenied("%s is not that of the token: leave it empty, or get a token of that user", field)
	}
}
