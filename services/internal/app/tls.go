package app

import (
	"crypto/tls"
	"fmt"
	"net"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"movieexample.com/fleet/services/internal/binding"
	"movieexample.com/fleet/services/internal/config"
	"movieexample.com/fleet/services/internal/identity"
	"movieexample.com/fleet/services/internal/rpc"
)

// identify reads the service's certificate. Without a good one nothing can be served, so the program ends and says why.
func (s *server[C]) identify() error {
	settings := s.config.Base().TLS
	if !settings.On() {
		return nil
	}
	dir, err := binding.Dir("tls")
	if err != nil {
		return mistake(fmt.Errorf("tls.mode is %s: %w", settings.Mode, err))
	}
	if s.identity, err = identity.Open(dir, settings.Domain(), s.log); err != nil {
		return fmt.Errorf("tls.mode is %s: %w", settings.Mode, err)
	}
	s.metrics.MustRegister(s.identity)
	return nil
}

// credentials are those of the gRPC server; nil without TLS.
func (s *server[C]) credentials() credentials.TransportCredentials {
	if s.identity == nil {
		return nil
	}
	demand := identity.Nothing
	if s.config.Base().TLS.Mode == config.Mutual {
		demand = identity.Required
	}
	return s.identity.ServerCredentials(demand, s.metrics)
}

// secured puts TLS over the listener of REST. People and gateways have no certificate; one that is shown is checked.
func (s *server[C]) secured(l net.Listener) net.Listener {
	if s.identity == nil {
		return l
	}
	demand := identity.Nothing
	if s.config.Base().TLS.Mode == config.Mutual {
		demand = identity.Optional
	}
	return tls.NewListener(l, s.identity.Server(demand))
}

func (s *server[C]) dial(name string, u config.Upstream) (grpc.ClientConnInterface, error) {
	if s.identity == nil {
		return s.clients.Dial(name, string(u.Target), u.Timeout, s.dialOptions()...)
	}
	if u.Identity == "" {
		return nil, mistake(fmt.Errorf("upstreams.%s.identity: is empty: with tls.mode %s, name whom to trust there, "+
			"for example spiffe://%s/ns/movies/sa/%s", name, s.config.Base().TLS.Mode, s.config.Base().TLS.TrustDomain, name))
	}
	id, err := spiffeid.FromString(u.Identity)
	if err != nil {
		return nil, mistake(fmt.Errorf("upstreams.%s.identity: %w", name, err))
	}
	return s.clients.Dial(name, string(u.Target), u.Timeout,
		append(s.dialOptions(), rpc.WithServer(id, s.identity.ClientCredentials(id)))...)
}
