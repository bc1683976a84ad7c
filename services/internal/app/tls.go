package app

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"

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

// checkIdentity says what is wrong with the certificate that a start would use. What is missing, the check of bindings says.
func checkIdentity(t config.TLS, proc process) error {
	root := proc.env(binding.RootEnv)
	if t.On() && root != "" && binding.Check(root, "tls") == nil {
		_, err := identity.Open(filepath.Join(root, "tls"), t.Domain(), slog.New(slog.DiscardHandler))
		return err
	}
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
	id, err := spiffeid.FromString(u.Identity)
	if err != nil { // the settings' own checks have said so before
		return nil, mistake(fmt.Errorf("identity of the upstream %s: %w", name, err))
	}
	return s.clients.Dial(name, string(u.Target), u.Timeout,
		append(s.dialOptions(), rpc.WithServer(id, s.identity.ClientCredentials(id)))...)
}
