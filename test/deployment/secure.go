package deployment

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// Secure is TLS to all services.
type Secure struct {
	roots    *x509.CertPool
	mine     []tls.Certificate
	identity string             // of a service without its name; empty checks the host that is called
	bundle   *x509bundle.Bundle // the roots, where an identity is checked
}

// readSecure is nil if nothing asks for TLS.
func readSecure(ca, cert, key, identity string) (*Secure, error) {
	if ca == "" {
		if cert != "" || key != "" || identity != "" {
			return nil, errors.New("CERT, KEY and IDENTITY are for TLS: set CA to the file of the authority that the services' certificates come from")
		}
		return nil, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	s := &Secure{roots: x509.NewCertPool(), identity: identity}
	if !s.roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CA is %s, which holds no certificate in PEM", ca)
	}
	if (cert == "") != (key == "") {
		return nil, errors.New("CERT and KEY belong together: the files of a certificate and of its key")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("CERT and KEY: %w", err)
		}
		s.mine = []tls.Certificate{pair}
	}
	if identity == "" {
		return s, nil
	}
	id, err := spiffeid.FromString(identity)
	if err != nil {
		return nil, fmt.Errorf("IDENTITY is %q, which is not spiffe://DOMAIN/ns/NAMESPACE/sa, to which the services' names are added: %w", identity, err)
	}
	if s.bundle, err = x509bundle.Parse(id.TrustDomain(), text); err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	return s, nil
}

// of is the TLS of calls to a service.
func (s *Secure) of(service string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.roots, Certificates: s.mine}
	if s.identity != "" {
		c.InsecureSkipVerify = true // it would check the host; the identity is checked instead
		c.VerifyConnection = func(state tls.ConnectionState) error { return s.check(state, s.identity+"/"+service) }
	}
	return c
}

func (s *Secure) check(state tls.ConnectionState, want string) error {
	id, _, err := x509svid.Verify(state.PeerCertificates, s.bundle)
	if err != nil {
		return fmt.Errorf("the server has a certificate that cannot be accepted: %w", err)
	}
	if id.String() != want {
		return fmt.Errorf("the server is %s, want %s (IDENTITY and the service's name)", id, want)
	}
	return nil
}
