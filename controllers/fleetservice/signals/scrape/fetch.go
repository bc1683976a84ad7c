package scrape

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// textFormat is what is asked for. A program that knows only OpenMetrics is read too.
const textFormat = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.1"

func (s *Scraper) fetch(ctx context.Context, t Target, want func(string) bool) (map[string]*dto.MetricFamily, error) {
	page := url.URL{Scheme: "http", Host: t.Address, Path: t.Path}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("no page can be at address %q, path %q", t.Address, t.Path)
	}
	request.Header.Set("Accept", textFormat)
	request.Header.Set("Accept-Encoding", "identity") // a small answer must not become a large page
	response, err := s.client.Do(request)
	if err != nil {
		return nil, s.cause(err)
	}
	defer func() { _ = response.Body.Close() }() // read only
	if err := acceptable(t.Path, response); err != nil {
		return nil, err
	}
	kept, err := s.filter(response.Body, want)
	if err != nil {
		return nil, s.cause(err)
	}
	return parse(kept)
}

// acceptable refuses what is no page of text.
func acceptable(path string, response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s answers %d, want 200", path, response.StatusCode)
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return fmt.Errorf("the page is encoded as %.40q, which nobody asked for", encoding)
	}
	given := response.Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(given)
	if given == "" || (err == nil && (kind == "text/plain" || kind == "application/openmetrics-text")) {
		return nil
	}
	return fmt.Errorf("GET %s answers %.60q, want Prometheus' text format (text/plain)", path, given)
}

// cause is an error in words that stay the same from reading to reading: no address, which the caller knows, and no port of
// ours, which differs each time.
func (s *Scraper) cause(err error) error {
	var op *net.OpError
	var sys *os.SyscallError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded): // the request's or the dial's
		return fmt.Errorf("no whole page within %s", s.limits.Timeout)
	case errors.Is(err, context.Canceled):
		return errors.New("the operator stopped reading")
	case errors.As(err, &sys):
		return fmt.Errorf("%s: %w", sys.Syscall, sys.Err)
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return errors.New(printable(err)) // it may quote what was read
}

// printable are words that fit into a message, whatever the page was.
func printable(err error) string {
	return strings.ToValidUTF8(fmt.Sprintf("%.200s", err.Error()), "?")
}
