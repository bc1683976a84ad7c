//go:build integration

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"movieexample.com/fleet/test/parts"
)

//nolint:gochecknoglobals // made once for the tests of this package
var (
	broker  *parts.Kafka
	program string
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fleet-ratingproducer-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "ratingproducer")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return parts.WithKafka(func(k *parts.Kafka) int { broker = k; return m.Run() })
}

// send runs the program and returns its exit code and what it said.
func send(t *testing.T, binding, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{"SERVICE_BINDING_ROOT=" + filepath.Dir(binding), "TMPDIR=" + t.TempDir()}
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), errs.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String(), errs.String()
}

// occurred is the same in all runs of a test: ids are made of the text.
var occurred = time.Now().UTC().Format(time.RFC3339) //nolint:gochecknoglobals // never changed

func event(n int) string {
	return fmt.Sprintf(`{"version":2,"eventId":"e%d","eventType":"put","userId":"u%d","recordId":"%d","recordType":"movie","value":%d,"occurredAt":%q}`,
		n, n, n%100, n%5+1, occurred)
}

// received are the records of the topic, in order for each key.
func received(t *testing.T, topic string, n int) []*kgo.Record {
	t.Helper()
	client := broker.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var list []*kgo.Record
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(list) < n && ctx.Err() == nil {
		list = append(list, client.PollFetches(ctx).Records()...)
	}
	return list
}

func TestLargeFile(t *testing.T) {
	const n = 50_000
	topic := broker.Name("ratings")
	broker.Topic(t, topic, 12)
	binding := broker.User(t).MayWrite(t, topic).Binding(t)
	name := filepath.Join(t.TempDir(), "ratings.json")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	_, _ = w.WriteString("[\n") // the error stays until Flush
	for i := range n {
		_, _ = fmt.Fprintf(w, "%s%s\n", strings.Repeat(",", min(i, 1)), event(i))
	}
	_, _ = w.WriteString("]")
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		t.Fatal(err)
	}

	code, stdout, stderr := send(t, binding, "", "--topic", topic, name)
	if code != 0 || stdout != fmt.Sprintf("sent %d, refused 0, not sent 0\n", n) {
		t.Fatalf("exit %d, said %s%s", code, stdout, stderr)
	}
	last, seen := map[string]int{}, map[string]bool{}
	for _, r := range received(t, topic, n) {
		var id int
		if _, err := fmt.Sscanf(string(r.Value), `{"version":2,"eventId":"e%d"`, &id); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		if key := string(r.Key); key != fmt.Sprintf("movie/%d", id%100) || id < last[key] {
			t.Fatalf("event %d under key %s after %d, want the record's key and order", id, key, last[key])
		}
		last[string(r.Key)] = id
		seen[string(r.Value)] = true
	}
	if len(seen) != n {
		t.Errorf("%d events on the topic, want %d", len(seen), n)
	}
}

func TestExitCodes(t *testing.T) {
	topic := broker.Name("ratings")
	broker.Topic(t, topic, 1)
	may := broker.User(t).MayWrite(t, topic).Binding(t)
	mayNot := broker.User(t).MayRead(t, topic).Binding(t)
	for name, c := range map[string]struct {
		binding, stdin string
		args           []string
		code           int
		stdout, stderr string
	}{
		"sent":            {may, event(1) + "\n" + event(2), []string{"-"}, 0, "sent 2, refused 0, not sent 0\n", ""},
		"one is refused":  {may, event(1) + "\nrubble", []string{"-"}, 1, "sent 0, refused 1, not sent 1\n", "line 2 refused: is no event in JSON"},
		"refused, passed": {may, event(1) + "\nrubble", []string{"--skip-refused", "-"}, 1, "sent 1, refused 1, not sent 0\n", "line 2"},
		"type of record":  {may, event(1), []string{"--record-types", "series", "-"}, 1, "sent 0, refused 1, not sent 0\n", "want one of: series"},
		"expired":         {may, event(1), []string{"--retention", "1ns", "-"}, 1, "sent 0, refused 1, not sent 0\n", "want one of the last"},
		"no right":        {mayNot, event(1), []string{"-"}, 1, "sent 0, refused 0, not sent 1\n", "grant the binding's user"},
		"no topic":        {may, event(1), []string{"--topic", "none", "-"}, 1, "sent 0, refused 0, not sent 1\n", "topic"},
		"no binding":      {"/none/kafka", event(1), []string{"-"}, 2, "", "does not exist"},
		"no file":         {may, "", []string{"/none"}, 2, "", "no such file"},
		"rate":            {may, event(1), []string{"--rate", "-1", "-"}, 2, "", "--rate is -1"},
		"no argument":     {may, "", nil, 2, "", "arg"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--topic", topic, "--timeout", "20s"}, c.args...)
			code, stdout, stderr := send(t, c.binding, c.stdin, args...)
			if code != c.code || stdout != c.stdout || !strings.Contains(stderr, c.stderr) {
				t.Errorf("exit %d, said %q and %q, want %d, %q and %q", code, stdout, stderr, c.code, c.stdout, c.stderr)
			}
		})
	}
}

func TestBrokerIsAway(t *testing.T) {
	topic := broker.Name("ratings")
	broker.Topic(t, topic, 1)
	binding := broker.User(t).MayWrite(t, topic).Binding(t)
	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := send(t, binding, event(1)+"\n"+event(2), "--topic", topic, "--timeout", "2s", "-")
	if code != 1 || stdout != "sent 0, refused 0, not sent 2\n" || !strings.Contains(stderr, "reachable") {
		t.Errorf("exit %d, said %q and %q, want 1, none sent and why", code, stdout, stderr)
	}
	if err := broker.Start(); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := send(t, binding, event(1), "--topic", topic, "-"); code != 0 {
		t.Errorf("exit %d, said %q and %q, want 0 when it is back", code, stdout, stderr)
	}
}
