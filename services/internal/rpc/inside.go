package rpc

import (
	"context"
	"crypto/tls"
	"net"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"movieexample.com/fleet/services/internal/identity"
)

// REST requests reach the gRPC server by a connection inside the process. It needs no TLS, and it has no identity of its
// own: the identity of a request is that of its REST caller, which travels in a header that counts from inside only.
const callerHeader = "fleet-caller-identity"

// networkInside is the name that bufconn gives its connections; none from the network has it.
const networkInside = "bufconn"

// insideCredentials are those of the network, and none inside the process.
type insideCredentials struct {
	credentials.TransportCredentials
}

func inside(network credentials.TransportCredentials) credentials.TransportCredentials {
	if network == nil {
		return insecure.NewCredentials()
	}
	return insideCredentials{network}
}

// ServerHandshake is for [credentials.TransportCredentials].
func (c insideCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if conn.LocalAddr().Network() == networkInside {
		return insecure.NewCredentials().ServerHandshake(conn)
	}
	return c.TransportCredentials.ServerHandshake(conn)
}

// Clone is for [credentials.TransportCredentials].
func (c insideCredentials) Clone() credentials.TransportCredentials {
	return insideCredentials{c.TransportCredentials.Clone()}
}

// withRESTCaller notes the name in the certificate of a request's connection, if there is one.
func withRESTCaller(ctx context.Context, connection *tls.ConnectionState) context.Context {
	if id, ok := identity.Of(connection); ok {
		return identity.WithCaller(ctx, id)
	}
	return ctx
}

// carryCaller sends the REST caller's name along, and takes away what the request itself says about it.
func carryCaller(ctx context.Context) context.Context {
	header, _ := metadata.FromOutgoingContext(ctx)
	header = header.Copy()
	header.Delete(callerHeader)
	if id, ok := identity.Caller(ctx); ok {
		header.Set(callerHeader, id.String())
	}
	return metadata.NewOutgoingContext(ctx, header)
}

func carryUnary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	return invoke(carryCaller(ctx), method, req, reply, conn, opts...)
}

func carryStream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return stream(carryCaller(ctx), desc, conn, method, opts...)
}

// knowCaller makes [identity.Caller] answer for calls from inside too.
func knowCaller(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return handler(carriedCaller(ctx), req)
}

func knowStreamCaller(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, &knownStream{ServerStream: stream, ctx: carriedCaller(stream.Context())})
}

type knownStream struct {
	grpc.ServerStream

	ctx context.Context
}

// Context is for [grpc.ServerStream].
func (s *knownStream) Context() context.Context { return s.ctx }

func carriedCaller(ctx context.Context) context.Context {
	p, ok := peer.FromContext(ctx)
	if !ok || p.Addr.Network() != networkInside {
		return ctx
	}
	id, err := spiffeid.FromString(first(metadata.ValueFromIncomingContext(ctx, callerHeader)))
	if err != nil { // there is none
		return ctx
	}
	return identity.WithCaller(ctx, id)
}
