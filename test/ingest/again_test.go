//go:build integration

package ingest_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"movieexample.com/fleet/test/ports"
)

// faulty starts a consumer of a build that can misbehave.
func (w *world) faulty(t *testing.T, name, faults string) *consumer {
	t.Helper()
	return w.startWith(t, name, rating+"-faults", []string{"FLEET_FAULT=" + faults})
}

// run runs one of the program's commands.
func (w *world) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := w.command(t, args...).CombinedOutput()
	return string(out), err
}

// wantRefused wants the command to fail with such a sentence.
func (w *world) wantRefused(t *testing.T, sentence string, args ...string) {
	t.Helper()
	if out, err := w.run(t, args...); err == nil || !strings.Contains(out, sentence) {
		t.Errorf("rating %s = %v, %q, want a failure that says %q", strings.Join(args, " "), err, out, sentence)
	}
}

func (w *world) wantRun(t *testing.T, part string, args ...string) {
	t.Helper()
	if out, err := w.run(t, args...); err != nil || !strings.Contains(out, part) {
		t.Fatalf("rating %s = %v, %q, want %q", strings.Join(args, " "), err, out, part)
	}
}

// service is the API beside the consumers, through which users rate the same records while it runs.
func (w *world) service(t *testing.T, s *stream) (stop func()) {
	t.Helper()
	api, rest, admin := ports.Free(t), ports.Free(t), ports.Free(t)
	cmd := w.command(t, fmt.Sprintf("--api.port=%d", api), fmt.Sprintf("--rest.port=%d", rest), fmt.Sprintf("--admin.port=%d", admin))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // of a test that failed before stop
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.rate(ctx, t, fmt.Sprintf("http://127.0.0.1:%d", rest)) }()
	return func() {
		cancel()
		<-done
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("rating = %v, want exit code 0", err)
		}
	}
}

// rate rates through the API what events rate too, at times before and after theirs, until ctx ends. Beside a batch that a
// busy machine stores slowly a call may run out of time, stored or not: it is made again until that is known.
func (s *stream) rate(ctx context.Context, t *testing.T, url string) {
	for n, known := 0, true; t.Context().Err() == nil && (ctx.Err() == nil || !known); {
		k, r := key{fmt.Sprint(n % s.records), fmt.Sprint(n % s.users)}, row{at: s.begin.Add(time.Duration(n%3600) * time.Second), rank: 1 + n%5}
		body := fmt.Sprintf(`{"userId": %q, "value": %d, "occurredAt": %q}`, k.user, r.rank, r.at.Format(time.RFC3339))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/v1/ratings/movie/"+k.record, strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil { // it does not listen yet
			time.Sleep(50 * time.Millisecond)
			continue
		}
		_ = response.Body.Close()
		switch known = response.StatusCode == http.StatusOK; {
		case known:
			s.apply(k, r)
			n++
		case response.StatusCode != http.StatusServiceUnavailable && response.StatusCode != http.StatusGatewayTimeout:
			t.Errorf("PUT of a rating = %s, want 200", response.Status)
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Good events that a bad release buried take effect when they are sent back, while the API is written to.
func TestLettersAreReplayed(t *testing.T) {
	w, s := newWorld(t, 4), newStream(200, 100)
	s.send(t, broker, w.topic, 10_000, 0)
	w.faulty(t, "bad", "event=0.1").endAfter(t, func() { w.wantConsumed(t, patience) })
	buried := w.buried(t, broker)
	panics := 0
	for _, cause := range buried {
		if cause == "panic" {
			panics++
		}
	}
	if panics < 500 || panics > 2000 {
		t.Fatalf("%d good events of 10,100 were buried, want about a tenth", panics)
	}
	w.wantRefused(t, "is none: use unparsable", "replay", "--cause", "bad")
	w.wantRefused(t, "is no time", "replay", "--since", "yesterday")
	w.wantRefused(t, fmt.Sprintf("nothing was sent: say --yes to send %d dead letters back; kept %d", panics, len(buried)-panics), "replay", "--cause", "panic")
	w.wantRun(t, fmt.Sprintf("sent 0, kept %d", len(buried)), "replay", "--cause", "panic", "--until", "2026-01-01T00:00:00Z", "--yes")
	stop := w.service(t, s)
	w.wantRun(t, fmt.Sprintf("sent %d, kept %d", panics, len(buried)-panics), "replay", "--cause", "panic", "--yes")
	w.start(t, "good")
	w.wantConsumed(t, patience)
	stop()
	s.checkRows(t, w)
	s.checkAggregates(t, w)
}

// A group that is rewound, also while it consumes and the API is written to, ends with the same table.
func TestAGroupIsRewound(t *testing.T) {
	w, s := newWorld(t, 2), newStream(200, 100)
	s.send(t, broker, w.topic, 5000, 0)
	c := w.start(t, "pod-1")
	w.wantConsumed(t, patience)
	for _, refused := range []struct {
		sentence string
		args     []string
	}{
		{"is no target", []string{"--to", "yesterday"}},
		{"has the partitions 0 to 1", []string{"--to", "earliest", "--partition", "7"}},
		{"has the offsets 0 to", []string{"--to", "999999"}},
		{"1 consumers are at work (pod-1)", []string{"--to", "earliest", "--yes"}},
		{"say --yes to do it", []string{"--to", "earliest", "--while-consumed"}},
	} {
		w.wantRefused(t, refused.sentence, append([]string{"rewind"}, refused.args...)...)
	}
	stop := w.service(t, s)
	w.wantRun(t, "moved 2 partitions", "rewind", "--to", "earliest", "--while-consumed", "--yes")
	eventually(t, patience, func(context.Context) error {
		if n := c.metric(t, "ingest_events_total"); n < 2*5050 {
			return fmt.Errorf("%v events were consumed, want all of them twice", n)
		}
		return nil
	})
	w.wantConsumed(t, patience)
	stop()
	s.check(t, w)
	c.end(t)
	w.wantRun(t, "moved 1 partitions", "rewind", "--to", time.Now().Add(time.Hour).Format(time.RFC3339), "--partition", "1", "--yes")
	w.wantRun(t, "moved 1 partitions", "rewind", "--to", "0", "--partition", "0", "--yes")
	w.start(t, "pod-2")
	w.wantConsumed(t, patience)
	s.check(t, w)
}

// A release that hangs on one partition holds up no other, and gives the partition back when it is told to.
func TestAConsumerThatHangsOnOnePartition(t *testing.T) {
	w, s := newWorld(t, 3), newStream(200, 100)
	s.send(t, broker, w.topic, 6000, 0)
	bad := w.faulty(t, "bad", "hangOn=1")
	eventually(t, patience, func(ctx context.Context) error {
		ends, err := w.ends(ctx)
		if err != nil {
			return err
		}
		at, err := w.positions(ctx)
		if err != nil {
			return err
		}
		if at[0] != ends[0] || at[2] != ends[2] || at[1] != 0 {
			return fmt.Errorf("the database is at %v, want the end of all but partition 1: %v", at, ends)
		}
		return nil
	})
	eventually(t, patience, func(context.Context) error { // it may be the last one that is read
		for _, name := range []string{"ingest_lag_records", "ingest_oldest_seconds"} {
			if bad.metric(t, name, "partition", "1") == 0 {
				return fmt.Errorf("%s of the partition = 0, want it to show", name)
			}
		}
		return nil
	})
	bad.end(t)
	w.start(t, "good")
	w.wantConsumed(t, patience)
	s.check(t, w)
}

// buildFaulty makes the build that can misbehave, beside the ordinary one.
func buildFaulty(program string) *exec.Cmd {
	return exec.Command("go", "build", "-tags", "faults", "-o", program+"-faults", "movieexample.com/fleet/services/rating/cmd")
}

// Settings that cannot work end the program with the code of mistakes and a sentence for each.
func TestMistakesOfSettings(t *testing.T) {
	w := newWorld(t, 1)
	w.wantRefused(t, "storage.kind is memory", "ingest", "--storage.kind=memory")
	w.wantRefused(t, "is the topic of events too", "ingest", "--ingest.deadLetterTopic="+w.topic)
	w.wantRefused(t, "is not from 1 to 100000", "ingest", "--ingest.batchEvents=0")
	if err := os.RemoveAll(filepath.Join(w.bindings, "kafka")); err != nil {
		t.Fatal(err)
	}
	w.wantRefused(t, "kafka", "ingest")
}
