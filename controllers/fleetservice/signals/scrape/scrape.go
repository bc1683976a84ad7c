package scrape

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"k8s.io/utils/clock"
)

// Limits bound what pages can cost.
type Limits struct {
	// Bytes is how long a page may be. Default 1 MiB.
	Bytes int64
	// Series is how many of the wanted ones a page may have. Default 5,000.
	Series int
	// Timeout is the time for one page. A Read takes at most twice that, however many pages it is to read. Default 500 ms.
	Timeout time.Duration
	// Concurrency is how many pages are read at once by all Reads together. One Read takes at most half of them, so that
	// pods of one service that do not answer do not keep another service's from being read. Default 16, at least 2.
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

const (
	// maxLine is the longest line that is read, and the longest header.
	maxLine = 16 << 10
	// idle is how long a connection to a pod that may have gone is kept.
	idle = 15 * time.Second
)

// Target is a page.
type Target struct {
	// UID names the target in the answer.
	UID string
	// Address is IP:port, Path the page's. Names are refused: who answers under a pod's IP is the pod, and nothing else
	// is to be dialled.
	Address, Path string
}

// Page is what was asked for of a page.
type Page struct {
	// Families are the wanted ones that the page has.
	Families map[string]*dto.MetricFamily
	// Err says why the page could not be read or believed.
	Err error
	// From and To enclose the moment that the page tells of.
	From, To time.Time
}

// Scraper reads pages. For concurrent use.
type Scraper struct {
	limits Limits
	clock  clock.PassiveClock
	client *http.Client
	places chan struct{}
}

// New returns a scraper whose limits hold for all its callers together. Limits that are 0 are the default.
func New(limits Limits, clk clock.PassiveClock) *Scraper {
	limits = limits.filled()
	return &Scraper{
		limits: limits, clock: clk, places: make(chan struct{}, limits.Concurrency),
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:                  nil, // pods are in the cluster
				DialContext:            dialer{limits.Timeout}.dialIP,
				MaxIdleConnsPerHost:    1,
				MaxIdleConns:           1000,
				IdleConnTimeout:        idle,
				MaxResponseHeaderBytes: maxLine,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// dialer ends its dials itself: net/http goes on with them when a request has ended, and each reading of a pod whose node is
// gone would leave one more.
type dialer struct{ timeout time.Duration }

// dialIP dials addresses, not names.
func (d dialer) dialIP(ctx context.Context, network, address string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("%q is no IP address and port", address)
	}
	return (&net.Dialer{Timeout: d.timeout}).DialContext(ctx, network, at.String())
}

// Close ends idle connections. No Read may be under way.
func (s *Scraper) Close() { s.client.CloseIdleConnections() }

// Read reads pages at the same time and keeps the families that are wanted. Every target has a page in the answer, be it
// one that says why it could not be read.
func (s *Scraper) Read(ctx context.Context, targets []Target, want func(family string) bool) map[string]Page {
	ctx, cancel := context.WithTimeout(ctx, 2*s.limits.Timeout)
	defer cancel()
	pages := make([]Page, len(targets))
	next := make(chan int)
	var readers sync.WaitGroup
	for range min(len(targets), max(1, s.limits.Concurrency/2)) {
		readers.Go(func() {
			for i := range next {
				pages[i] = s.page(ctx, targets[i], want)
			}
		})
	}
	for i := range targets {
		next <- i
	}
	close(next)
	readers.Wait()
	byUID := make(map[string]Page, len(targets))
	for i, t := range targets {
		byUID[t.UID] = pages[i]
	}
	return byUID
}

// page reads one page when it is its turn.
func (s *Scraper) page(ctx context.Context, t Target, want func(string) bool) Page {
	select {
	case s.places <- struct{}{}:
		defer func() { <-s.places }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return Page{Err: fmt.Errorf("it was not its turn within %s, since other pages took too long", 2*s.limits.Timeout)}
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.Timeout)
	defer cancel()
	page := Page{From: s.clock.Now()}
	page.Families, page.Err = s.fetch(ctx, t, want)
	page.To = s.clock.Now()
	return page
}
