package identity

import (
	"crypto/tls"
	"fmt"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// Demand says whether a server asks its callers for a certificate. One that is shown is always checked.
type Demand tls.ClientAuthType

// What a server may ask for.
const (
	Nothing  = Demand(tls.NoClientCert)
	Optional = Demand(tls.RequestClientCert)
	Required = Demand(tls.RequireAnyClientCert) // of any authority at first: checkCaller decides
)

// Server is the TLS of a server. It speaks HTTP/2 and HTTP/1.1.
func (f *Files) Server(demand Demand) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		ClientAuth:     tls.ClientAuthType(demand),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &f.current.Load().chain, nil },
		// Not VerifyPeerCertificate, which a session that is resumed does not pass.
		VerifyConnection: f.checkCaller,
	}
}

// Client is the TLS of calls to a server, which must be want, wherever it is: instances move, names stay.
func (f *Files) Client(want spiffeid.ID) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &f.current.Load().chain, nil },
		InsecureSkipVerify:   true, //nolint:gosec // it would check the name dialled; VerifyConnection checks the identity
		VerifyConnection:     func(s tls.ConnectionState) error { return f.checkServer(s, want) },
	}
}

func (f *Files) checkCaller(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return nil // none was required, or the handshake would have failed already
	}
	if id, _, err := x509svid.Verify(s.PeerCertificates, f); err != nil {
		return fmt.Errorf("the caller%s has a certificate that cannot be accepted: %w", named(id), err)
	}
	return nil
}

func (f *Files) checkServer(s tls.ConnectionState, want spiffeid.ID) error {
	id, _, err := x509svid.Verify(s.PeerCertificates, f)
	if err != nil {
		return fmt.Errorf("the server%s has a certificate that cannot be accepted: %w", named(id), err)
	}
	if id != want {
		return fmt.Errorf("the server is %s, want %s", id, want)
	}
	return nil
}

func named(id spiffeid.ID) string {
	if id.IsZero() {
		return ""
	}
	return " " + id.String()
}
