package scrape

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Limits bound what a page can cost.
type Limits struct {
	// Bytes is how much of a page is read; a longer one is an error. Default 1 MiB.
	Bytes int64
	// Series is how many of the wanted ones a page may have. Default 5,000.
	Series int
	// Timeout is the time for one page. Default 500 ms.
	Timeout time.Duration
	// Concurrency is how many pages the process reads at once. Default 16.
	Concurrency int
}

func (l Limits) filled() Limits {
	if l.Bytes == 0 {
		l.Bytes = 1 << 20
	}
	if l.Series == 0 {
		l.Series = 5000
	}
	if l.Timeout == 0 {
		l.Timeout = 500 * time.Millisecond
	}
	if l.Concurrency == 0 {
		l.Concurrency = 16
	}
	return l
}

// maxLine is the longest line that is read.
const maxLine = 16 << 10

// Target is a page.
type Target struct {
	// Key names the target in the answer.
	Key string
	// Address is host:port, Path the page's.
	Address, Path string
}

// Page is what was asked for of a page, by family; Err says why it could not be read.
type Page struct {
	Families map[string]*dto.MetricFamily
	Err      error
}

// Scraper reads pages. For concurrent use.
type Scraper struct {
	limits Limits
	client *http.Client
	places chan struct{}
}

// New returns a scraper whose limits hold for all its callers together.
func New(limits Limits) *Scraper {
	limits = limits.filled()
	return &Scraper{
		limits: limits, places: make(chan struct{}, limits.Concurrency),
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:            (&net.Dialer{Timeout: limits.Timeout}).DialContext,
				DisableCompression:     true, // a small answer must not become a large page
				MaxIdleConnsPerHost:    1,
				MaxIdleConns:           1000,
				IdleConnTimeout:        30 * time.Second,
				MaxResponseHeaderBytes: maxLine,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close ends idle connections.
func (s *Scraper) Close() { s.client.CloseIdleConnections() }

// Read reads the pages at the same time and keeps the families that are wanted. Every target has a page in the answer.
func (s *Scraper) Read(ctx context.Context, targets []Target, want func(family string) bool) map[string]Page {
	pages := make([]Page, len(targets))
	var wait sync.WaitGroup
	for i, t := range targets {
		wait.Go(func() { pages[i] = s.page(ctx, t, want) })
	}
	wait.Wait()
	byKey := make(map[string]Page, len(targets))
	for i, t := range targets {
		byKey[t.Key] = pages[i]
	}
	return byKey
}

func (s *Scraper) page(ctx context.Context, t Target, want func(string) bool) Page {
	ctx, cancel := context.WithTimeout(ctx, s.limits.Timeout)
	defer cancel()
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-ctx.Done():
		return Page{Err: fmt.Errorf("no turn to read it within %s", s.limits.Timeout)}
	}
	families, err := s.fetch(ctx, t, want)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no whole page within %s", s.limits.Timeout)
	}
	return Page{Families: families, Err: err}
}

func (s *Scraper) fetch(ctx context.Context, t Target, want func(string) bool) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.Address+t.Path, nil)
	if err != nil {
		return nil, fmt.Errorf("address %s: %w", t.Address, err)
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	response, err := s.client.Do(request)
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = response.Body.Close() }() // read only
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s answers %s", t.Path, response.Status)
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, fmt.Errorf("the page is encoded as %q though nobody asked for it", encoding)
	}
	return s.parse(response.Body, want)
}

// cause is the error without the address, which the caller knows, and without the local port, which differs each time.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}

// parse keeps the lines of wanted families and has them read by Prometheus' own parser.
func (s *Scraper) parse(body io.Reader, want func(string) bool) (families map[string]*dto.MetricFamily, err error) {
	kept, err := s.filter(body, want)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err = parser.TextToMetricFamilies(bytes.NewReader(kept))
	if err != nil {
		return nil, fmt.Errorf("the page is not in Prometheus' text format: %w", err)
	}
	return families, nil
}

func (s *Scraper) filter(body io.Reader, want func(string) bool) ([]byte, error) {
	var kept bytes.Buffer
	limited := &io.LimitedReader{R: body, N: s.limits.Bytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	series := 0
	for lines.Scan() {
		line := lines.Bytes()
		name, sample := nameOf(line)
		if !want(name) && !want(base(name)) {
			continue
		}
		if sample {
			series++
		}
		if series > s.limits.Series {
			return nil, fmt.Errorf("the page has more than %d series of what is counted", s.limits.Series)
		}
		kept.Write(line)
		kept.WriteByte('\n')
	}
	if limited.N <= 0 {
		return nil, fmt.Errorf("the page is longer than %d bytes", s.limits.Bytes)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("the page has a line longer than %d bytes", maxLine)
	}
	if err := lines.Err(); err != nil {
		return nil, cause(err)
	}
	return kept.Bytes(), nil
}

// nameOf is the metric that a line is about, and whether it is a sample.
func nameOf(line []byte) (string, bool) {
	if bytes.HasPrefix(line, []byte("# TYPE ")) {
		name, _, _ := bytes.Cut(line[len("# TYPE "):], []byte(" "))
		return string(name), false
	}
	if len(line) == 0 || line[0] == '#' {
		return "", false
	}
	end := bytes.IndexAny(line, "{ \t")
	if end < 0 {
		return "", false
	}
	return string(line[:end]), true
}

// base is the histogram that a sample belongs to.
func base(name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if family, found := strings.CutSuffix(name, suffix); found {
			return family
		}
	}
	return name
}
