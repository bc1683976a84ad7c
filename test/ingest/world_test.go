//go:build integration

package ingest_test

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/twmb/franz-go/pkg/kadm"

	"movieexample.com/fleet/test/parts"
)

// patience is until something that must happen has not.
const patience = time.Minute

// world is a topic of its own with a database of its own, and who may use them.
type world struct {
	topic, letters, group string
	partitions            int32
	bindings              string // directory
	user                  *parts.KafkaUser
	admin                 *kadm.Client
	db                    *sql.DB
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	return newWorldIn(t, database, broker, partitions)
}

// newWorldIn is for tests that break the server or the broker for all who use them.
func newWorldIn(t *testing.T, server *parts.MariaDB, kafka *parts.Kafka, partitions int32) *world {
	t.Helper()
	w := &world{
		topic: kafka.Name("ratings"), letters: kafka.Name("ratings.dlq"), group: kafka.Name("rating"), partitions: partitions,
		admin: kadm.NewClient(kafka.Client(t)), user: kafka.User(t),
	}
	kafka.Topic(t, w.topic, partitions)
	kafka.Topic(t, w.letters, 3)
	w.user.MayRead(t, w.topic).MayRead(t, w.letters).MayWrite(t, w.topic).MayWrite(t, w.letters).MayJoin(t, w.group)
	dir := server.Database(t)
	w.bindings = filepath.Dir(dir)
	w.user.WriteBinding(t, filepath.Join(w.bindings, "kafka"))
	if out, err := w.command(t, "migrate").CombinedOutput(); err != nil {
		t.Fatalf("rating migrate = %v\n%s", err, out)
	}
	w.db = open(t, dir)
	return w
}

// open is the database of the binding.
func open(t *testing.T, dir string) *sql.DB {
	t.Helper()
	value := func(key string) string {
		text, err := os.ReadFile(filepath.Join(dir, key))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName = "tcp", net.JoinHostPort(value("host"), value("port")), value("database")
	c.User, c.Passwd, c.ParseTime = value("username"), value("password"), true
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// settings are those of all programs of this world; more are further lines.
func (w *world) settings(t *testing.T, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("storage: {kind: mysql}\nlog: {format: text}\nshutdown: {propagation: 0s, deadline: 8s}\n"+
		"ingest: {topic: %s, group: %s, deadLetterTopic: %s}\n%s", w.topic, w.group, w.letters, more)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// command is a run of the program in this world.
func (w *world) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(rating, args...)
	cmd.Env = []string{"FLEET_CONFIG=" + w.settings(t, ""), "SERVICE_BINDING_ROOT=" + w.bindings}
	return cmd
}

// eventually polls: another process gives no signal that could be waited for.
func eventually(t *testing.T, limit time.Duration, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("after %v: %v", limit, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// positions are what the database holds of the topic, by partition.
func (w *world) positions(ctx context.Context) (map[int32]int64, error) {
	topics, err := w.admin.ListTopics(ctx, w.topic)
	if err != nil {
		return nil, err
	}
	id := topics[w.topic].ID
	rows, err := w.db.QueryContext(ctx, "SELECT topic_partition, next_offset FROM ingest_positions WHERE consumer_group = ? AND topic = ? AND topic_id = ?",
		w.group, w.topic, id[:])
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := map[int32]int64{}
	for rows.Next() {
		var partition int32
		var next int64
		if err := rows.Scan(&partition, &next); err != nil {
			return nil, err
		}
		found[partition] = next
	}
	return found, rows.Err()
}

// ends are where the topic's partitions end.
func (w *world) ends(ctx context.Context) (map[int32]int64, error) {
	listed, err := w.admin.ListEndOffsets(ctx, w.topic)
	if err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, listed.Error()
}

// wantConsumed waits until the database is at the end of each partition.
func (w *world) wantConsumed(t *testing.T, limit time.Duration) {
	t.Helper()
	eventually(t, limit, func(ctx context.Context) error {
		ends, err := w.ends(ctx)
		if err != nil {
			return err
		}
		positions, err := w.positions(ctx)
		if err != nil {
			return err
		}
		for p, end := range ends {
			if positions[p] != end {
				return fmt.Errorf("the database is at %v, want the ends %v", positions, ends)
			}
		}
		return nil
	})
}
