package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"movieexample.com/fleet/services/internal/identity"
	"movieexample.com/fleet/services/internal/rpc"
)

// secure is the client's own certificate, and whom it calls. All methods work on nil, which is no TLS.
type secure struct {
	files  *identity.Files
	server spiffeid.ID
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func newSecure(o Options) (*secure, error) {
	if o.TLSDir == "" {
		return nil, nil
	}
	server, err := spiffeid.FromString(o.Server)
	if err != nil {
		return nil, fmt.Errorf("the server's identity %q: %w", o.Server, err)
	}
	files, err := identity.Open(o.TLSDir, server.TrustDomain(), o.Log)
	if err != nil {
		return nil, err
	}
	if o.Metrics != nil {
		if err := o.Metrics.Register(files); err != nil {
			return nil, fmt.Errorf("show the certificate in the metrics: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &secure{files: files, server: server, cancel: cancel}
	s.wait.Go(func() { _ = files.Run(ctx) }) // it ends with the context, and has no other error
	return s, nil
}

func (s *secure) dialOptions() []rpc.DialOption {
	if s == nil {
		return nil
	}
	return []rpc.DialOption{rpc.WithServer(s.server, s.files.ClientCredentials(s.server))}
}

func (s *secure) close() {
	if s != nil {
		s.cancel()
		s.wait.Wait()
	}
}

// TLS is for other clients than gRPC's, such as HTTP's; nil without TLS.
func (c *Client) TLS() *tls.Config {
	if c.secure == nil {
		return nil
	}
	return c.secure.files.Client(c.secure.server)
}
