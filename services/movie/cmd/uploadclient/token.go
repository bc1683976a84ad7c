package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
)

// tokenFile sends along the token in the file. It is read anew for each stream: an editor's token lives for minutes, and
// whoever gets a new one puts it there.
type tokenFile struct {
	path   string
	secure bool
}

// GetRequestMetadata is for [google.golang.org/grpc/credentials.PerRPCCredentials].
func (t tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	text, err := os.ReadFile(t.path)
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	return map[string]string{"authorization": "Bearer " + strings.TrimSpace(string(text))}, nil
}

// RequireTransportSecurity is for [google.golang.org/grpc/credentials.PerRPCCredentials].
func (t tokenFile) RequireTransportSecurity() bool { return t.secure }

// onThisMachine tells whether an address is a loopback one, where a token may go without TLS.
func onThisMachine(target string) bool {
	host, _, err := net.SplitHostPort(target)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
