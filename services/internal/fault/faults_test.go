//go:build faults

package fault

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestParse(t *testing.T) {
	got, err := parse("error=0.05, latency=200ms,hang=0.01,crashAfter=8s,neverReady,notFound,panic=GetMovieDetails,cpu=0.5,event=0.1,hangOn=3,hangOn=5")
	if err != nil {
		t.Fatalf("parse() = error %v", err)
	}
	want := spec{0.05, 200 * time.Millisecond, 0.01, true, "GetMovieDetails", 8 * time.Second, true, 0.5, 0.1, []int32{3, 5}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(spec{})); diff != "" {
		t.Errorf("parse() (-want +got):\n%s", diff)
	}
}

func TestParseMistakes(t *testing.T) {
	for text, want := range map[string][]string{
		"eror=0.1":          {`unknown word "eror"`},
		"error":             {"not a number from 0 to 1"},
		"error=1.5":         {"not a number from 0 to 1"},
		"error=NaN":         {"not a number from 0 to 1"},
		"hang=-1":           {"not a number from 0 to 1"},
		"latency=5":         {"not a duration; write for example latency=200ms"},
		"crashAfter=-1s":    {"not a duration"},
		"neverReady=yes":    {"takes no value"},
		"panic=":            {"no method given"},
		"event=2":           {"not a number from 0 to 1"},
		"hangOn=first":      {"not the number of a partition"},
		"cpu=100":           {"not a number from 0 to 4"},
		"bad,latency=x":     {`unknown word "bad"`, "not a duration"},
		"error=0.1,":        {`unknown word ""`},
		"error=0.1;hang=.1": {"not a number"},
	} {
		_, err := parse(text)
		if err == nil {
			t.Errorf("parse(%q) = no error, want %q", text, want)
			continue
		}
		if lines := strings.Count(err.Error(), "\n") + 1; lines != len(want) {
			t.Errorf("parse(%q) = %d mistakes, want %d: %v", text, lines, len(want), err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("parse(%q) = error %q, want it to contain %q", text, err, w)
			}
		}
	}
}

// call sends one call through the switch, with a deadline of a minute.
func call(t *testing.T, text, method string, chance float64) (code codes.Code, panicked any, took time.Duration) {
	t.Helper()
	s, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{spec: s, chance: func() float64 { return chance }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	defer func() { panicked, took = recover(), time.Since(began) }()
	_, err = f.Intercept(ctx, nil, &grpc.UnaryServerInfo{FullMethod: method}, func(context.Context, any) (any, error) { return nil, nil })
	return status.Code(err), nil, 0
}

func TestIntercept(t *testing.T) {
	const get, health = "/movie.v1.MovieService/GetMovieDetails", "/grpc.health.v1.Health/Check"
	for name, tc := range map[string]struct {
		text, method string
		chance       float64
		code         codes.Code
		panics       bool
		took         time.Duration
	}{
		"no fault":                         {"", get, 0, codes.OK, false, 0},
		"error within the rate":            {"error=0.05", get, 0.04, codes.Internal, false, 0},
		"error outside the rate":           {"error=0.05", get, 0.05, codes.OK, false, 0},
		"not found":                        {"notFound", get, 0.5, codes.NotFound, false, 0},
		"latency":                          {"latency=200ms", get, 0.5, codes.OK, false, 200 * time.Millisecond},
		"latency above the deadline":       {"latency=2m", get, 0.5, codes.DeadlineExceeded, false, time.Minute},
		"hang lasts as long as the caller": {"hang=0.01", get, 0, codes.DeadlineExceeded, false, time.Minute},
		"hang outside the rate":            {"hang=0.01", get, 0.5, codes.OK, false, 0},
		"panic in the method":              {"panic=GetMovieDetails", get, 0.5, codes.OK, true, 0},
		"panic in another method":          {"panic=GetMetadata", get, 0.5, codes.OK, false, 0},
		"health checks are left alone":     {"error=1,notFound,latency=1s", health, 0, codes.OK, false, 0},
		"latency comes before the error":   {"error=1,latency=1s", get, 0.5, codes.Internal, false, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				code, panicked, took := call(t, tc.text, tc.method, tc.chance)
				if code != tc.code || (panicked != nil) != tc.panics || took != tc.took {
					t.Errorf("%s: code %s, panic %v, after %s; want %s, %t, %s", tc.text, code, panicked, took, tc.code, tc.panics, tc.took)
				}
			})
		})
	}
}

func TestNeverReady(t *testing.T) {
	if err := (&faults{spec: spec{neverReady: true}}).Ready(t.Context()); err == nil {
		t.Error("Ready() = nil, want an error")
	}
	if err := (&faults{}).Ready(t.Context()); err != nil {
		t.Errorf("Ready() = %v without a fault, want nil", err)
	}
}

func TestCrashAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crashed := make(chan time.Duration, 1)
		began := time.Now()
		f := &faults{spec: spec{crashAfter: 8 * time.Second}, exit: func(int) { crashed <- time.Since(began) }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := f.Run(ctx); err != nil {
			t.Errorf("Run() = %v", err)
		}
		if after := <-crashed; after != 8*time.Second {
			t.Errorf("the process ended after %s, want 8s", after)
		}
	})
}

func TestCPUEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := (&faults{spec: spec{cpu: 1.5}}).Run(ctx); err != nil {
		t.Errorf("Run() = %v", err)
	}
}

func TestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := 0.0
		f := &faults{spec: spec{eventRate: 0.1, hangOn: []int32{3}}, chance: func() float64 { return next }}
		if err := f.Event(t.Context(), 2); err == nil {
			t.Error("Event() below the rate = no error, want one")
		}
		next = 0.1
		if err := f.Event(t.Context(), 2); err != nil {
			t.Errorf("Event() at the rate = %v, want no error", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := f.Event(ctx, 3); err == nil || ctx.Err() == nil {
			t.Errorf("Event() of a partition that hangs = %v before its end", err)
		}
	})
}
