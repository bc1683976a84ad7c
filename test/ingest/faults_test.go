//go:build integration

package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Environment variables of a long run.
const (
	eventsEnv  = "FLEET_INGEST_EVENTS"
	minutesEnv = "FLEET_INGEST_MINUTES"
	timesEnv   = "FLEET_INGEST_TIMES"
)

// number is what a variable of the environment says.
func number(t *testing.T, name string, fallback int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s = %q, want a number above 0", name, text)
	}
	return n
}

// times is how many events a test sends: so many, or as many times of it as a long run wants.
func times(t *testing.T, events int) int {
	t.Helper()
	return events * number(t, timesEnv, 1)
}

// size is how many events flow, and how long a test may take.
func size(t *testing.T) (events int, limit time.Duration) {
	t.Helper()
	return number(t, eventsEnv, 100_000), time.Duration(number(t, minutesEnv, 3)) * time.Minute
}

// fleet is some consumers of one group.
type fleet struct {
	w       *world
	started int
	running []*consumer
}

func (f *fleet) start(t *testing.T, args ...string) *consumer {
	t.Helper()
	f.started++
	c := f.w.start(t, fmt.Sprintf("pod-%d", f.started), args...)
	f.running = append(f.running, c)
	return c
}

// Whatever consumers are killed, and whenever, each event takes effect once.
func TestKilledConsumersLoseNothing(t *testing.T) {
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) { killConsumers(t, swift, "--ingest.protocol="+protocol) })
	}
}

func killConsumers(t *testing.T, args ...string) {
	t.Helper()
	events, limit := size(t)
	w, s := newWorld(t, 12), newStream(events/10, events/5)
	f := &fleet{w: w}
	for range 3 {
		f.start(t, args...)
	}
	sent := s.sending(t, broker, w.topic, events, 8000)
	random := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for flowing := true; flowing; {
		select {
		case err := <-sent:
			wantSent(t, err)
			flowing = false
		case <-time.After(time.Duration(500+random.IntN(2000)) * time.Millisecond):
			victim := random.IntN(len(f.running))
			f.running[victim].kill()
			f.running = append(f.running[:victim], f.running[victim+1:]...)
			kills++
			f.start(t, args...)
		}
	}
	w.wantConsumed(t, limit)
	s.check(t, w)
	t.Logf("%d events, %d consumers killed", events, kills)
}

// A consumer that was stopped while others took over its partitions wakes and changes nothing.
func TestAConsumerThatWakesLateChangesNothing(t *testing.T) {
	w, s := newWorld(t, 4), newStream(300, 100)
	f := &fleet{w: w}
	sleeper := f.start(t, swift, "--ingest.batchEvents=50")
	sent := s.sending(t, broker, w.topic, times(t, 30_000), 3000)
	eventually(t, patience, func(context.Context) error {
		if n := sleeper.metric(t, "ingest_events_total", "outcome", "applied"); n < 1000 {
			return fmt.Errorf("%v events were applied, want some at work", n)
		}
		return nil
	})
	sleeper.signal(t, syscall.SIGSTOP)
	f.start(t)
	wantSent(t, <-sent)
	w.wantConsumed(t, patience)
	before, err := w.rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sleeper.signal(t, syscall.SIGCONT)
	eventually(t, patience, func(context.Context) error { // either way it learns that others have its partitions
		log := sleeper.log.String()
		if !strings.Contains(log, "the membership in the group has ended") && !strings.Contains(log, "Partitions were revoked") {
			return errors.New("the consumer that woke has given nothing up")
		}
		return nil
	})
	s.check(t, w)
	after, err := w.rows(t.Context())
	if err != nil || len(after) != len(before) {
		t.Errorf("%d rows after the consumer woke, %v, want %d", len(after), err, len(before))
	}
	if got := sleeper.metric(t, "ingest_fenced_total"); got == 0 {
		t.Logf("no batch was under way when the consumer was stopped")
	}
	sleeper.wantReady(t) // it has joined again
}
