package deployment

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	authv1 "movieexample.com/fleet/services/proto/auth/v1"
)

// user is one who rates; without a token where none is asked for.
type user struct{ id, token string }

// bearing is the context of a call that the user makes.
func (u user) bearing(ctx context.Context) context.Context {
	if u.token == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+u.token)
}

// logIn makes users: those of the settings with a token each, or two that nobody else is.
func (r *run) logIn(id string) {
	r.t.Helper()
	if len(r.Logins) == 0 {
		r.ann, r.ben = user{id: "ann-" + id}, &user{id: "ben-" + id}
		return
	}
	auth := authv1.NewAuthServiceClient(r.dial(authName))
	for i, l := range r.Logins {
		got, err := auth.GetToken(r.ctx, &authv1.GetTokenRequest{Username: l.Name, Password: l.Password}, grpc.WaitForReady(true))
		r.must(fmt.Sprintf("GetToken for %s", l.Name), err)
		u := user{id: l.Name, token: got.GetToken()}
		if i == 0 {
			r.ann = u
		} else {
			r.ben = &u
		}
	}
}
