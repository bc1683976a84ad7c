package rpc

import (
	"log/slog"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc/credentials"
)

// DialOption changes what calls to one target go through. Without any, a call is one attempt within its time.
type DialOption func(*dialing)

type dialing struct {
	server      spiffeid.ID // empty without TLS
	credentials credentials.TransportCredentials
	log         *slog.Logger
	attempts    int
	guarded     bool
}

// WithServer protects the connection: it ends at the server that the credentials were made for, or is not made.
func WithServer(id spiffeid.ID, c credentials.TransportCredentials) DialOption {
	return func(d *dialing) { d.server, d.credentials = id, c }
}

// WithLog tells a person what callers think of a service: that it is dead, or one of its instances sick.
func WithLog(log *slog.Logger) DialOption { return func(d *dialing) { d.log = log } }

// WithAttempts makes up to so many attempts of a call that may be repeated. It is for the caller nearest the user.
func WithAttempts(n int) DialOption { return func(d *dialing) { d.attempts = n } }

// WithBreaker makes no calls while the service answers nothing but failures.
func WithBreaker() DialOption { return func(d *dialing) { d.guarded = true } }
