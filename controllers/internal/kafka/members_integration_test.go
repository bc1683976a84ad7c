//go:build integration

package kafka_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/controllers/internal/kafka"
	"movieexample.com/fleet/test/parts"
	"movieexample.com/fleet/test/ports"
)

// ingestors start consumers of the fleet as they run in pods.
type ingestors struct {
	program, bindings string
	scene             *scene
}

func newIngestors(t *testing.T, s *scene, program string, database *parts.MariaDB) ingestors {
	t.Helper()
	in := ingestors{program: program, bindings: filepath.Dir(database.Database(t)), scene: s}
	s.user.WriteBinding(t, filepath.Join(in.bindings, "kafka"))
	if out, err := in.command(t, "migrate").CombinedOutput(); err != nil {
		t.Fatalf("rating migrate = %v\n%s", err, out)
	}
	return in
}

func (in ingestors) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("storage: {kind: mysql}\nshutdown: {propagation: 0s, deadline: 8s}\ningest: {topic: %s, group: %s, deadLetterTopic: %s}\n",
		in.scene.source.Topic, in.scene.source.Group, in.scene.source.DeadLetterTopic)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(in.program, args...)
	cmd.Env = []string{"FLEET_CONFIG=" + file, "SERVICE_BINDING_ROOT=" + in.bindings}
	return cmd
}

// start starts a consumer, and returns what ends it in order.
func (in ingestors) start(t *testing.T, pod, protocol string) (end func()) {
	t.Helper()
	cmd := in.command(t, "ingest", "--ingest.protocol="+protocol, fmt.Sprintf("--admin.port=%d", ports.Free(t)))
	cmd.Env = append(cmd.Env, "POD_NAME="+pod)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s after SIGTERM = %v, want exit code 0\n%s", pod, err, &log)
		}
	}
	t.Cleanup(end)
	return end
}

// TestMembersOfBothProtocols: a group's members, their partitions and its lag are seen alike, whichever protocol its consumers
// join by, and while a release changes from one to the other.
func TestMembersOfBothProtocols(t *testing.T) {
	program := filepath.Join(t.TempDir(), "rating")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "movieexample.com/fleet/services/rating/cmd").CombinedOutput(); err != nil {
		t.Fatalf("go build = %v\n%s", err, out)
	}
	database, err := parts.StartMariaDB()
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	for _, protocols := range [][2]string{{"classic", "classic"}, {"consumer", "consumer"}, {"classic", "consumer"}} {
		t.Run(protocols[0]+" and "+protocols[1], func(t *testing.T) {
			s := newScene(t, 4)
			s.grant("")
			in := newIngestors(t, s, program, database)
			first, second := in.start(t, "pod-1", protocols[0]), in.start(t, "pod-2", protocols[1])
			s.send(t, 10)
			s.wantMembers(t, []string{"pod-1", "pod-2"}, 4)
			s.wantLag(t, 0)
			first()
			s.wantMembers(t, []string{"pod-2"}, 4)
			second()
			s.wantMembers(t, nil, 0)
			s.send(t, 10)
			s.wantLag(t, 10)
			if problems := s.look().Problems; len(problems) > 0 {
				t.Errorf("Problems = %q of a group that its consumers have left, want none", problems)
			}
		})
	}
}

// send sends records, as many to each partition, which consumers cannot take: they are dead letters, and consumed.
func (s *scene) send(t *testing.T, records int) {
	t.Helper()
	producer := broker.Client(t, kgo.DefaultProduceTopic(s.source.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for n := range records {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Partition: int32(n % 2), Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// wantMembers waits until so many partitions are shared out evenly over the members that there are to be.
func (s *scene) wantMembers(t *testing.T, want []string, partitions int) {
	t.Helper()
	s.eventually(t, func(r kafka.Report) string {
		var names []string
		var numbers []int32
		for _, m := range r.Members {
			names, numbers = append(names, m.Client), append(numbers, m.Partitions...)
			if len(m.Partitions) != partitions/max(1, len(want)) {
				return fmt.Sprintf("members are %+v, want %d partitions shared out evenly over %v", r.Members, partitions, want)
			}
		}
		slices.Sort(names)
		slices.Sort(numbers)
		return cmp.Diff(want, names) + cmp.Diff(partitions, len(slices.Compact(numbers)))
	})
}

func (s *scene) wantLag(t *testing.T, want int64) {
	t.Helper()
	s.eventually(t, func(r kafka.Report) string {
		lag := int64(0)
		for _, p := range r.Partitions {
			lag += p.Lag()
		}
		return cmp.Diff(want, lag)
	})
}

// eventually looks until nothing is wrong: groups share out their partitions in their own time.
func (s *scene) eventually(t *testing.T, wrong func(kafka.Report) string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		found := wrong(s.look())
		if found == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute (-want +got):\n%s", found)
		}
	}
}
