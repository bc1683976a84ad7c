package scrape_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/utils/clock"

	"movieexample.com/fleet/controllers/fleetservice/signals/scrape"
	"movieexample.com/fleet/test/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func wanted(family string) bool { return family == "requests_total" || family == "seconds" }

// quick are limits small enough to be reached in a test.
var quick = scrape.Limits{Bytes: 64 << 10, Series: 50, Timeout: 200 * time.Millisecond} // a constant

func scraper(t testing.TB, limits scrape.Limits) *scrape.Scraper {
	s := scrape.New(limits, clock.RealClock{})
	t.Cleanup(s.Close)
	return s
}

// pod serves a page and is a target.
func pod(t testing.TB, uid string, handle http.HandlerFunc) scrape.Target {
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return scrape.Target{UID: uid, Address: server.Listener.Addr().String(), Path: "/metrics"}
}

func text(page string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, page)
	}
}

const good = `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{code="200"} 12
requests_total{code="500"} 1
# TYPE seconds histogram
seconds_bucket{le="0.1"} 10
seconds_bucket{le="+Inf"} 13
seconds_sum 1.5
seconds_count 13
# TYPE other gauge
other 5
`

func TestPages(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "# a comment that goes on\n"); err != nil {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		handle   http.HandlerFunc
		families int
		err      string // "" is none
	}{
		"good":              {text(good), 2, ""},
		"empty":             {text(""), 0, ""},
		"no type":           {text("requests_total 7\n"), 1, ""},
		"spaces before":     {text("  requests_total 7\n"), 1, ""},
		"no last line feed": {text("other 1\nrequests_total 7"), 1, ""},
		"nothing wanted":    {text("other 5\n{} 7\n{\"quoted\"} 1\n"), 0, ""},
		"OpenMetrics": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
			_, _ = io.WriteString(w, "# TYPE requests counter\nrequests_total 7\n# EOF\n")
		}, 1, ""},

		"not found":          {http.NotFound, 0, "GET /metrics answers 404, want 200"},
		"redirect":           {http.RedirectHandler("http://127.0.0.1:1/elsewhere", http.StatusFound).ServeHTTP, 0, "answers 302"},
		"protobuf":           {typed("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily", "\n\x01a"), 0, "want Prometheus' text format"},
		"web page":           {typed("text/html", "<html>requests_total 7</html>"), 0, `answers "text/html"`},
		"gzip, unasked":      {compressed(), 0, "encoded as \"gzip\""},
		"endless":            {endless, 0, "longer than 65536 bytes"},
		"one endless line":   {text("requests_total{a=\"" + strings.Repeat("x", 32<<10)), 0, "line longer than"},
		"too many series":    {text(seriesOf(51)), 0, "more than 50 series"},
		"as many as may be":  {text(seriesOf(50)), 1, ""},
		"slow bytes":         {slowly, 0, "no whole page within 200ms"},
		"never answers":      {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, "no whole page within 200ms"},
		"cut off":            {cut, 0, "EOF"},
		"binary":             {text("requests_total \x00\x01\xff\n"), 0, "not in Prometheus' text format"},
		"no number":          {text("requests_total seven\n"), 0, "not in Prometheus' text format"},
		"negative histogram": {text("# TYPE seconds histogram\nseconds_count -1\n"), 0, "not in Prometheus' text format"},
		"two types":          {text("# TYPE requests_total counter\n# TYPE requests_total gauge\nrequests_total 1\n"), 0, "not in Prometheus' text format"},
		"large header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		}, 0, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			target, limits := pod(t, "uid", c.handle), quick
			if !strings.Contains(c.err, quick.Timeout.String()) {
				limits.Timeout = time.Minute // a pod on a busy machine is not a slow one
			}
			began := time.Now()
			page := scraper(t, limits).Read(t.Context(), []scrape.Target{target}, wanted)["uid"]
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("Read took %s, want it bounded", took)
			}
			switch {
			case c.err == "" && page.Err != nil:
				t.Errorf("Read = %v, want a page", page.Err)
			case c.err != "" && (page.Err == nil || !strings.Contains(page.Err.Error(), c.err)):
				t.Errorf("Read = %v, want an error with %q", page.Err, c.err)
			case len(page.Families) != c.families:
				t.Errorf("Read = %v, want %d families", page.Families, c.families)
			}
			if page.Err != nil && (strings.Contains(page.Err.Error(), target.Address) || len(page.Err.Error()) > 400) {
				t.Errorf("Read = %v, want words that are the same at each reading", page.Err)
			}
		})
	}
}

func typed(kind, page string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, page)
	}
}

// compressed sends a small page that would become a large one.
func compressed() http.HandlerFunc {
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(small.Bytes())
	}
}

func seriesOf(n int) string {
	var page strings.Builder
	for i := range n {
		fmt.Fprintf(&page, "requests_total{code=\"%d\"} 1\n", i)
	}
	return page.String()
}

func slowly(w http.ResponseWriter, r *http.Request) {
	for _, b := range []byte(good) {
		_, _ = w.Write([]byte{b})
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// cut promises more than it sends.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, "requests_total 7\n")
}

func TestMillionSeries(t *testing.T) {
	target := pod(t, "uid", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 1_000_000 {
			if _, err := fmt.Fprintf(w, "requests_total{code=\"%d\"} 1\n", i); err != nil {
				return
			}
		}
	})
	page := scraper(t, scrape.Limits{Timeout: time.Minute}).Read(t.Context(), []scrape.Target{target}, wanted)["uid"]
	if page.Err == nil || !strings.Contains(page.Err.Error(), "more than 5000 series") {
		t.Errorf("Read of 10^6 series = %v, want it refused after 5000", page.Err)
	}
}

func TestNobodyThere(t *testing.T) {
	for name, c := range map[string]struct{ address, want string }{
		"refused": {ports.Address(t), "connect: connection refused"},
		"a name":  {"localhost:80", `"localhost:80" is no IP address and port`},
	} {
		t.Run(name, func(t *testing.T) {
			page := scraper(t, scrape.Limits{Timeout: time.Minute}).Read(t.Context(), []scrape.Target{{UID: "uid", Address: c.address, Path: "/"}}, wanted)["uid"]
			if page.Err == nil || !strings.Contains(page.Err.Error(), c.want) {
				t.Errorf("Read = %v, want %q", page.Err, c.want)
			}
		})
	}
}

// TestTurns: pods that do not answer neither hold all places nor a Read for long.
func TestTurns(t *testing.T) {
	const limit = time.Second
	began := time.Now()
	var came, cameFirst atomic.Int64 // the first places are free again after the limit, not sooner
	hang := func(_ http.ResponseWriter, r *http.Request) {
		if came.Add(1); time.Since(began) < limit {
			cameFirst.Add(1)
		}
		<-r.Context().Done()
	}
	var hanging []scrape.Target
	for i := range 40 {
		hanging = append(hanging, pod(t, fmt.Sprint(i), hang))
	}
	s := scraper(t, scrape.Limits{Concurrency: 8, Timeout: limit})
	var waiting sync.WaitGroup
	began = time.Now()
	waiting.Go(func() {
		pages := s.Read(t.Context(), hanging, wanted)
		if took := time.Since(began); took > 4*limit {
			t.Errorf("Read of 40 pods that hang took %s, want about %s", took, 2*limit)
		}
		if pages["0"].Err == nil || pages["39"].Err == nil || !strings.Contains(pages["39"].Err.Error(), "not its turn") {
			t.Errorf("Read = %v, %v, want the last one to say that it was not its turn", pages["0"].Err, pages["39"].Err)
		}
	})
	healthy := pod(t, "healthy", text(good))
	for range 5 {
		if page := s.Read(t.Context(), []scrape.Target{healthy}, wanted)["healthy"]; page.Err != nil {
			t.Errorf("Read of another service's pod beside those that hang = %v, want its page", page.Err)
		}
	}
	waiting.Wait()
	if n := cameFirst.Load(); n > 4 || came.Load() < 5 {
		t.Errorf("one Read asked for %d pages at first and %d in all, want at most half of 8 at a time", n, came.Load())
	}
}

func TestConnectionIsKept(t *testing.T) {
	var mu sync.Mutex
	var from []string
	target := pod(t, "uid", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		from = append(from, r.RemoteAddr)
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding = %q, want identity", got)
		}
		text(good)(w, r)
	})
	s := scraper(t, scrape.Limits{Timeout: time.Minute})
	for range 3 {
		s.Read(t.Context(), []scrape.Target{target}, wanted)
	}
	if slices.Sort(from); len(from) != 3 || len(slices.Compact(from)) != 1 {
		t.Errorf("three Reads came from %v, want one connection", from)
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	target := pod(t, "uid", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	page := scraper(t, scrape.Limits{Timeout: time.Minute}).Read(ctx, []scrape.Target{target}, wanted)["uid"]
	if page.Err == nil || !strings.Contains(page.Err.Error(), "stopped reading") {
		t.Errorf("Read = %v, want that it was stopped", page.Err)
	}
}
