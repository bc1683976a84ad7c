package app

import (
	"fmt"
	"net/http"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"

	"movieexample.com/fleet/services/internal/auth"
	"movieexample.com/fleet/services/internal/config"
)

// authorization is how a service treats its callers; the zero value asks for nothing.
type authorization struct {
	policy auth.Policy  // nil if the service has none
	guard  *auth.Guard  // nil if nobody is asked for a token
	keys   *auth.KeySet // nil with it
}

// authorize is [Env.Authorize].
func (s *server[C]) authorize(c config.Auth, policy auth.Policy) error {
	s.authorization = authorization{policy: policy}
	if !policy.Guards() { // then there is nothing to fetch keys for
		return nil
	}
	if c.Kind != config.JWT {
		s.log.Warn("Nobody is asked for a token: whoever reaches this service may write", "setting", "auth.kind")
		return nil
	}
	transport, err := s.keysTransport(c)
	if err != nil {
		return err
	}
	s.authorization.keys = auth.NewKeySet(c.JWKS, transport, time.Now, s.log, s.metrics)
	want := auth.Expectation{Issuer: c.Issuer, Audience: c.Audience, NotBefore: c.NotBefore()}
	s.authorization.guard = auth.NewGuard(policy, auth.NewVerifier(s.authorization.keys, want, time.Now), s.metrics)
	return nil
}

// keysTransport holds one connection at most: keys are fetched one after another. Whoever answers in auth's place could
// name any key, so over TLS it must be the identity that the settings name.
func (s *server[C]) keysTransport(c config.Auth) (*http.Transport, error) {
	t := &http.Transport{
		MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 2 * time.Second, MaxResponseHeaderBytes: 16 << 10,
	}
	if c.Identity == "" {
		return t, nil
	}
	if s.identity == nil {
		return nil, mistake(fmt.Errorf("auth.identity: %q needs tls.mode server or mutual: without a certificate of its own "+
			"the service trusts nobody's", c.Identity))
	}
	id, err := spiffeid.FromString(c.Identity)
	if err != nil {
		return nil, mistake(fmt.Errorf("auth.identity: %w", err))
	}
	t.TLSClientConfig = s.identity.Client(id)
	return t, nil
}

func (a authorization) unary() []grpc.UnaryServerInterceptor {
	if a.guard == nil {
		return nil
	}
	return []grpc.UnaryServerInterceptor{a.guard.Unary}
}

func (a authorization) stream() []grpc.StreamServerInterceptor {
	if a.guard == nil {
		return nil
	}
	return []grpc.StreamServerInterceptor{a.guard.Stream}
}

// covers is an error if the policy and the server's methods differ, whether or not tokens are asked for: a laptop finds
// out first.
func (a authorization) covers(server *grpc.Server) error {
	if a.policy == nil {
		return nil
	}
	return a.policy.Covers(server.GetServiceInfo())
}
