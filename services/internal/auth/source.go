package auth

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	fetchTimeout = 3 * time.Second
	maxKeySet    = 64 << 10
)

// source is where the keys are published.
type source struct {
	url    string
	client *http.Client
}

func newSource(url string, transport http.RoundTripper) *source {
	return &source{url: url, client: &http.Client{
		Transport: transport,
		Timeout:   fetchTimeout,
		// Whoever could redirect could name the keys.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *source) fetch(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err // it names the address
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", s.url, err)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s, want 200", s.url, response.Status)
	case len(body) > maxKeySet:
		return nil, fmt.Errorf("%s answers with more than %d bytes", s.url, maxKeySet)
	}
	keys, err := UnmarshalKeys(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.url, err)
	}
	return keys, nil
}

func (s *source) close() { s.client.CloseIdleConnections() }
