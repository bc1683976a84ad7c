package main

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wait := options{rate: 100}.pace()
		began := time.Now()
		for range 510 {
			if err := wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 4900*time.Millisecond || took > 5100*time.Millisecond {
			t.Errorf("510 events at 100 a second took %s, want 5 s: ten go at once", took)
		}
	})
}

func TestRateThatIsNone(t *testing.T) {
	for _, rate := range []float64{-1, math.NaN()} {
		if err := (options{rate: rate}).check(); err == nil || !strings.Contains(err.Error(), "--rate") {
			t.Errorf("check of rate %g = %v, want a sentence about --rate", rate, err)
		}
	}
	if pace := (options{}).pace(); pace != nil {
		t.Error("without a rate something waits, want nothing")
	}
}
