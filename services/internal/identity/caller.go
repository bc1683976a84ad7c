package identity

import (
	"context"
	"crypto/tls"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

type callerKey struct{}

// WithCaller notes who calls, for calls that pass on inside the process.
func WithCaller(ctx context.Context, id spiffeid.ID) context.Context {
	return context.WithValue(ctx, callerKey{}, id)
}

// Caller is the name in the certificate of whoever makes this call; false if there was none. It was checked when the
// connection was made.
func Caller(ctx context.Context) (spiffeid.ID, bool) {
	if id, ok := ctx.Value(callerKey{}).(spiffeid.ID); ok {
		return id, true
	}
	p, ok := peer.FromContext(ctx)
	if !ok {
		return spiffeid.ID{}, false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return spiffeid.ID{}, false
	}
	return Of(&info.State)
}

// Of is the name in the certificate of the connection's other end; false if there is none. The connection's own checks
// decide whether the certificate is good.
func Of(state *tls.ConnectionState) (spiffeid.ID, bool) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return spiffeid.ID{}, false
	}
	id, err := x509svid.IDFromCert(state.PeerCertificates[0])
	return id, err == nil
}
