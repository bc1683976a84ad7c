//go:build bench

package services_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"movieexample.com/fleet/test/bench/table"
	"movieexample.com/fleet/test/parts"
)

const (
	callers = 32
	rounds  = 11
	round   = 1500 * time.Millisecond

	leastOfBare     = 0.7 // of the throughput of bare hops
	mostLatency     = 2.0 // times that of bare hops, at 99 %, at half of movie's capacity
	leastOfMemory   = 0.3 // of the throughput in memory, with the database on the same processors
	leastOfDialling = 10. // times the throughput of a caller that dials for each call
)

func benchmark(b *testing.B, s system) {
	b.SetParallelism(callers / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.call(context.Background()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func BenchmarkMovieDetails(b *testing.B) { benchmark(b, startFleet(b, nil, production(b))) }
func BenchmarkBareHops(b *testing.B)     { benchmark(b, startBare(b, roleFront, production(b))) }
func BenchmarkDialPerCall(b *testing.B)  { benchmark(b, startBare(b, roleDialing, production(b))) }

// TestBenchDetails holds movie to its bounds. The systems take turns, so that whatever else the machine does meets all of
// them; the ratio of a round counts, and of those the median.
func TestBenchDetails(t *testing.T) {
	traces := production(t)
	movie, hops, dialing := startFleet(t, nil, traces), startBare(t, roleFront, traces), startBare(t, roleDialing, traces)
	var capacity, ofBare, ofDialing []float64
	for range rounds {
		m, mEach := throughput(t, movie, callers, round)
		h, hEach := throughput(t, hops, callers, round)
		d, dEach := throughput(t, dialing, callers, round)
		t.Logf("calls a second: movie %.0f, bare hops %.0f, dial per call %.0f; processor time for each: %s, %s, %s", m, h, d, mEach, hEach, dEach)
		capacity, ofBare, ofDialing = append(capacity, m), append(ofBare, m/h), append(ofDialing, m/d)
	}
	rate := median(capacity) / 2
	var times []float64
	for range rounds {
		m, h := latency(t, movie, rate, round, 0.99), latency(t, hops, rate, round, 0.99)
		t.Logf("99 %% of calls at %.0f a second: movie %s, bare hops %s", rate, m, h)
		times = append(times, float64(m)/float64(h))
	}
	table.Row(t, "GetMovieDetails in memory", fmt.Sprintf("%.0f calls/s", median(capacity)))
	table.AtLeast(t, "its throughput, of that of bare gRPC with the same two hops", median(ofBare), leastOfBare)
	table.AtMost(t, "its time at 99 %, at half of its capacity, times that of bare hops", median(times), mostLatency)
	table.AtLeast(t, "its throughput, times that of a caller that dials for each call", median(ofDialing), leastOfDialling)
}

// TestBenchDetailsOnMySQL tells what the database costs: a rating is read from it for each call, metadata every five seconds.
func TestBenchDetailsOnMySQL(t *testing.T) {
	server, err := parts.StartMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	traces := production(t)
	stored, memory := startFleet(t, server, traces), startFleet(t, nil, traces)
	var part []float64
	for range rounds / 2 {
		s, sEach := throughput(t, stored, callers, round)
		m, mEach := throughput(t, memory, callers, round)
		t.Logf("calls a second: on MySQL %.0f, in memory %.0f; the services' processor time for each: %s, %s", s, m, sEach, mEach)
		part = append(part, s/m)
	}
	table.AtLeast(t, "GetMovieDetails on MySQL, of the throughput in memory", median(part), leastOfMemory)
}
