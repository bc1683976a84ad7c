//go:build integration

package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"movieexample.com/fleet/test/parts"
)

// flow sends events while a consumer works, and wants them all in the end.
func (w *world) flow(t *testing.T, kafka *parts.Kafka, events, rate int, meanwhile func(c *consumer)) {
	t.Helper()
	s := newStream(300, 100)
	c := w.start(t, "pod-1", "--ingest.batchEvents=500")
	c.wantReady(t)
	sent := s.sending(t, kafka, w.topic, times(t, events), rate)
	eventually(t, patience, func(context.Context) error {
		if n := c.metric(t, "ingest_events_total", "outcome", "applied"); n == 0 {
			return fmt.Errorf("no event was applied yet")
		}
		return nil
	})
	meanwhile(c)
	wantSent(t, <-sent)
	w.wantConsumed(t, patience)
	s.checkIn(t, w, kafka)
	c.wantBuried(t, len(s.bad)) // what time heals is never one
}

// wantBuried wants as many dead letters counted as there are: fewer only where a batch was in the database when its answer
// was lost, so that the next try found it there.
func (c *consumer) wantBuried(t *testing.T, letters int) {
	t.Helper()
	eventually(t, patience, func(context.Context) error {
		n, lost := c.metric(t, "ingest_events_total", "outcome", "dead_lettered"), c.metric(t, "ingest_fenced_total")
		if n > float64(letters) || n < float64(letters) && lost == 0 {
			return fmt.Errorf("%v dead letters of %d were counted, %v batches given up", n, letters, lost)
		}
		return nil
	})
}

func (c *consumer) wantFailed(t *testing.T) {
	t.Helper()
	eventually(t, patience, func(context.Context) error {
		if n := c.metric(t, "ingest_events_total", "outcome", "failed"); n == 0 {
			return fmt.Errorf("no try has failed")
		}
		return nil
	})
}

func TestTheDatabaseRestarts(t *testing.T) {
	server := startMariaDB(t)
	w := newWorldIn(t, server, broker, 4)
	w.flow(t, broker, 20_000, 4000, func(c *consumer) {
		if err := server.Stop(); err != nil {
			t.Fatal(err)
		}
		c.wantFailed(t)
		c.wantLog(t, "database of the binding mysql must be reachable")
		c.wantReady(t) // it waits: nobody can do its work better
		c.wantWaiting(t, "database", 1)
		c.wantWaiting(t, "broker", 0)
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		c.wantWaiting(t, "database", 0)
	})
}

// wantWaiting wants to be told whether the consumer waits for the database or the brokers.
func (c *consumer) wantWaiting(t *testing.T, what string, want float64) {
	t.Helper()
	eventually(t, patience, func(context.Context) error {
		if got := c.metric(t, "ingest_waiting", "for", what); got != want {
			return fmt.Errorf("ingest_waiting{for=%q} = %v, want %v", what, got, want)
		}
		return nil
	})
}

func startMariaDB(t *testing.T, flags ...string) *parts.MariaDB {
	t.Helper()
	server, err := parts.StartMariaDB(flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

func TestTheBrokerRestarts(t *testing.T) {
	kafka, err := parts.StartKafka()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	w := newWorldIn(t, database, kafka, 4)
	w.flow(t, kafka, 20_000, 4000, func(c *consumer) {
		for _, end := range []func() error{kafka.Stop, kafka.Kill} {
			if err := end(); err != nil {
				t.Fatal(err)
			}
			c.wantLog(t, "brokers of the binding kafka must be reachable")
			c.wantWaiting(t, "broker", 1)
			if err := kafka.Start(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Each statement takes a second. Events come late, none is lost, and what waits does not pile up in memory.
func TestASlowDatabaseSlowsTheFetch(t *testing.T) {
	w, s := newWorld(t, 2), newStream(200, 100)
	link := parts.StartLink(t, net.JoinHostPort("127.0.0.1", fmt.Sprint(database.Port)))
	_, port, err := net.SplitHostPort(link.Address)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.bindings, "mysql", "port"), []byte(port), 0o600); err != nil {
		t.Fatal(err)
	}
	filler := strings.Repeat("x", 5000) // 100 MB of events in all, which nobody reads
	s.pad = filler
	s.send(t, broker, w.topic, 20_000, 0)
	link.Set(parts.Fault{Delay: 500 * time.Millisecond}) // each way
	c := w.start(t, "pod-1", "--ingest.batchEvents=2000")
	eventually(t, patience, func(context.Context) error { // the questions before the first event take ten seconds too
		if c.metric(t, "ingest_lag_records") == 0 {
			return errors.New("no event was fetched yet")
		}
		return nil
	})
	most := 0.0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		most = max(most, c.metric(t, "process_resident_memory_bytes"))
	}
	if lag := c.metric(t, "ingest_lag_records"); lag == 0 {
		t.Error("the slow database took everything in 10 s: the test tests nothing")
	}
	if most > 150<<20 {
		t.Errorf("the consumer took %.0f MB while the database was slow, want it to fetch no more than it can store", most/(1<<20))
	}
	link.Set(parts.Fault{})
	w.wantConsumed(t, patience)
	s.check(t, w)
}

// A consumer that is cut off in the middle of a transaction holds its locks for some seconds: then the server ends it, and
// whoever has its partitions now goes on.
func TestAConsumerCutOffInATransaction(t *testing.T) {
	w, s := newWorld(t, 1), newStream(200, 100)
	port := filepath.Join(w.bindings, "mysql", "port")
	link := parts.StartLink(t, net.JoinHostPort("127.0.0.1", fmt.Sprint(database.Port)))
	_, through, err := net.SplitHostPort(link.Address)
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, broker, w.topic, 5000, 0)
	if err := os.WriteFile(port, []byte(through), 0o600); err != nil {
		t.Fatal(err)
	}
	link.Set(parts.Fault{Delay: 100 * time.Millisecond}) // before all, or a swift consumer is done when the test looks
	first := w.start(t, "pod-1", swift)
	eventually(t, patience, func(ctx context.Context) error {
		var next int64
		err := w.db.QueryRowContext(ctx, "SELECT next_offset FROM ingest_positions FOR UPDATE NOWAIT").Scan(&next)
		if err == nil {
			return errors.New("nobody holds the lock of the position")
		}
		if locked, ok := errors.AsType[*mysql.MySQLError](err); ok && locked.Number == 1205 {
			return nil
		}
		return err
	})
	link.Set(parts.Fault{Swallow: true})
	first.kill()
	if err := os.WriteFile(port, fmt.Append(nil, database.Port), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start(t, "pod-2")
	w.wantConsumed(t, patience)
	s.check(t, w)
}

// The database has no room. The batch is tried until there is some; nothing of it becomes a dead letter.
func TestAFullDatabaseIsWaitedFor(t *testing.T) {
	room := func(most string) string { return "--innodb-data-file-path=ibdata1:12M:autoextend:max:" + most }
	server := startMariaDB(t, "--innodb-file-per-table=0", room("24M"))
	w := newWorldIn(t, server, broker, 2)
	s := newStream(2000, 1000)
	c := w.start(t, "pod-1")
	s.send(t, broker, w.topic, 1000, 0)
	w.wantConsumed(t, patience)
	ballast(t, w)
	s.send(t, broker, w.topic, 20_000, 0)
	c.wantFailed(t)
	c.wantLog(t, "is full")
	if err := errors.Join(server.Stop(), server.StartWith(room("200M"))); err != nil { // a larger volume
		t.Fatal(err)
	}
	w.wantConsumed(t, patience)
	s.check(t, w)
}

// ballast fills the tablespace as far as it goes.
func ballast(t *testing.T, w *world) {
	t.Helper()
	if _, err := w.db.ExecContext(t.Context(), "CREATE TABLE ballast (id INT AUTO_INCREMENT PRIMARY KEY, filler LONGBLOB)"); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if _, err := w.db.ExecContext(t.Context(), "INSERT INTO ballast (filler) VALUES (REPEAT('x', 500000))"); err != nil {
			return // full
		}
	}
	t.Fatal("the tablespace takes 50 MB, want it to be full")
}
