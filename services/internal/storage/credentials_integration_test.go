//go:build integration

package storage_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/internal/storage"
	"movieexample.com/fleet/test/parts"
)

// queries run until they are stopped; the first that fails is kept.
type queries struct {
	done     atomic.Int64
	failures atomic.Int64
	first    atomic.Pointer[error]
	stop     func()
}

func startQueries(t *testing.T, db *sql.DB) *queries {
	t.Helper()
	q := &queries{}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for ctx.Err() == nil {
				err := storage.InTx(context.Background(), db, func(ctx context.Context, tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, "DO 1")
					return err
				})
				if q.done.Add(1); err != nil {
					q.failures.Add(1)
					q.first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	q.stop = sync.OnceFunc(func() { cancel(); wait.Wait() })
	t.Cleanup(q.stop)
	return q
}

func (q *queries) check(t *testing.T) {
	t.Helper()
	q.stop()
	if n := q.failures.Load(); n > 0 {
		t.Errorf("%d of %d transactions failed, want none; the first: %v", n, q.done.Load(), *q.first.Load())
	}
	if q.done.Load() < 100 {
		t.Errorf("%d transactions ran, want at least 100", q.done.Load())
	}
}

// mounted is a database whose binding lies there as Kubernetes mounts it.
func mounted(t *testing.T) (dir string, keys map[string]string) {
	t.Helper()
	keys = map[string]string{}
	plain := server.Database(t)
	for _, key := range []string{"type", "host", "port", "username", "password", "database"} {
		text, err := os.ReadFile(filepath.Join(plain, key))
		if err != nil {
			t.Fatal(err)
		}
		keys[key] = string(text)
	}
	dir = filepath.Join(t.TempDir(), "mysql")
	parts.MountBinding(t, dir, keys)
	return dir, keys
}

func (q *queries) untilMore(t *testing.T) {
	t.Helper()
	for before := q.done.Load(); q.done.Load() < before+100; time.Sleep(time.Millisecond) {
		if t.Context().Err() != nil {
			return
		}
	}
}

// sessions is how many connections the user has.
func sessions(t *testing.T, admin *sql.DB, user string) (n int) {
	t.Helper()
	query := "SELECT COUNT(*) FROM information_schema.processlist WHERE user = ?"
	if err := admin.QueryRowContext(t.Context(), query, user).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// eventually waits for less than the pool keeps a connection that nobody uses: what it asks for is not to come from that.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ask() {
			return
		}
	}
	t.Fatalf("after 30 s: not true that %s", what)
}

// inspector may see everybody's connections.
func inspector(t *testing.T) *sql.DB {
	t.Helper()
	dir, keys := mounted(t)
	server.Exec(t, fmt.Sprintf("GRANT PROCESS ON *.* TO %s@'%%'", keys["username"]))
	return openDB(t, dir)
}

func TestUserAndPasswordAreRotatedUnderLoad(t *testing.T) {
	noLeaks(t)
	dir, keys := mounted(t)
	db, admin := openDB(t, dir), inspector(t)
	load := startQueries(t, db)
	load.untilMore(t)

	old, database := keys["username"], keys["database"]
	next := old + "_b"
	server.Exec(t, "CREATE USER "+next+"@'%' IDENTIFIED BY 'other'", "GRANT ALL ON "+database+".* TO "+next+"@'%'")
	defer server.Exec(t, "DROP USER IF EXISTS "+next+"@'%'", "CREATE USER "+old+"@'%'") // the clean-up of the database drops it
	keys["username"], keys["password"] = next, "other"
	parts.MountBinding(t, dir, keys)

	eventually(t, "no connection has the old user", func() bool { return sessions(t, admin, old) == 0 })
	server.Exec(t, "DROP USER "+old+"@'%'")
	load.untilMore(t)
	load.check(t)
	if n := sessions(t, admin, next); n == 0 {
		t.Error("no connection has the new user, want some")
	}
}

func TestCredentialsThatAreRefusedLeaveTheOldOnesInUse(t *testing.T) {
	noLeaks(t)
	dir, keys := mounted(t)
	log := &lines{seen: make(chan struct{}, 1)}
	db, err := storage.Open(dir, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	load := startQueries(t, db)
	load.untilMore(t)

	keys["password"] = "not yet set"
	parts.MountBinding(t, dir, keys)
	eventually(t, "the log tells of the refusal", func() bool {
		return strings.Contains(log.String(), "refuses the changed credentials; the ones before stay in use")
	})
	load.untilMore(t)
	// Where nothing can be reused, each connection is a new one.
	db.SetMaxIdleConns(0)
	load.untilMore(t)
	db.SetMaxIdleConns(8)
	server.Exec(t, "SET PASSWORD FOR "+keys["username"]+"@'%' = PASSWORD('not yet set')")
	eventually(t, "the log tells that the new ones are in use", func() bool {
		return strings.Contains(log.String(), "use the changed credentials")
	})
	load.untilMore(t)
	load.check(t)
	if n := strings.Count(log.String(), "refuses"); n != 1 {
		t.Errorf("log = %s, want one line about the refusal", log)
	}
	if strings.Contains(log.String(), "not yet set") {
		t.Errorf("log = %s, which shows the password", log)
	}
}

func TestFilesThatAreBeingWrittenLeaveTheOldOnesInUse(t *testing.T) {
	noLeaks(t)
	dir := server.Database(t)
	db := openDB(t, dir)
	db.SetMaxIdleConns(0) // each use connects anew
	load := startQueries(t, db)
	load.untilMore(t)
	password := filepath.Join(dir, "password")
	text, err := os.ReadFile(password)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := os.Remove(password); err != nil {
			t.Fatal(err)
		}
		load.untilMore(t)
		if err := os.WriteFile(password, text[:3], 0o600); err != nil {
			t.Fatal(err)
		}
		load.untilMore(t)
		if err := os.WriteFile(password, text, 0o600); err != nil {
			t.Fatal(err)
		}
		load.untilMore(t)
	}
	load.check(t)
}

func TestTLSToTheDatabase(t *testing.T) {
	ours, other := parts.NewAuthority(t), parts.NewAuthority(t)
	pair := ours.Leaf(t, "")
	files := t.TempDir()
	parts.WriteBinding(t, files, map[string]string{"crt": string(pair.Certificate), "key": string(pair.Key)})
	for _, path := range []string{files, filepath.Dir(files), filepath.Join(files, "key"), filepath.Join(files, "crt")} {
		if err := os.Chmod(path, 0o755); err != nil { // the server runs as a user of its own
			t.Fatal(err)
		}
	}
	secure, err := parts.StartMariaDB("--ssl-cert="+filepath.Join(files, "crt"), "--ssl-key="+filepath.Join(files, "key"), "--require-secure-transport=ON")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(secure.Close)
	dir := secure.Database(t)
	db := openDB(t, dir)
	db.SetMaxIdleConns(0)
	for _, step := range []struct{ ca, want string }{
		{"", "Access denied"},
		{string(other.Certificate()), "certificate signed by unknown authority"},
		{string(ours.Certificate()), ""},
	} {
		parts.WriteBinding(t, dir, map[string]string{"ca.crt": step.ca})
		var name, cipher string
		err := db.QueryRowContext(t.Context(), "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher)
		if step.want == "" {
			if err != nil || cipher == "" {
				t.Errorf("with the server's authority = cipher %q, %v, want one", cipher, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), step.want) || problem.KindOf(storage.Problem(err)) != problem.Unavailable {
			t.Errorf("query = %v, want an error with %q that counts as away", err, step.want)
		}
	}
}
