package flags_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"movieexample.com/fleet/services/internal/flags"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a service with the flags a (off by default) and b (on), whose sources say what the test sends.
type fixture struct {
	*flags.Set

	first, second chan flags.Reading
	registry      *prometheus.Registry
	log           *bytes.Buffer
}

func source(name string, readings <-chan flags.Reading) flags.Source {
	return flags.Source{Name: name, Follow: func(ctx context.Context, update func(flags.Reading)) {
		for {
			select {
			case <-ctx.Done():
				return
			case r := <-readings:
				update(r)
			}
		}
	}}
}

// inBubble runs a test with a set of flags that follows its sources.
func inBubble(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{
			first: make(chan flags.Reading), second: make(chan flags.Reading),
			registry: prometheus.NewRegistry(), log: &bytes.Buffer{},
		}
		f.Set = flags.New(flags.Defaults{"a": false, "b": true}, slog.New(slog.NewTextHandler(f.log, nil)), f.registry,
			source("first", f.first), source("second", f.second))
		f.want(t, false, true) // before it runs, too
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()
		test(t, f)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func say(to chan<- flags.Reading, r flags.Reading) {
	to <- r
	synctest.Wait()
}

func yaml(text string) flags.Reading { return flags.Reading{Text: text} }

func (f *fixture) want(t *testing.T, a, b bool) {
	t.Helper()
	if gotA, gotB := f.On(t.Context(), "a"), f.On(t.Context(), "b"); gotA != a || gotB != b {
		t.Errorf("a, b = %v, %v, want %v, %v", gotA, gotB, a, b)
	}
}

func (f *fixture) wantLogged(t *testing.T, times int, parts ...string) {
	t.Helper()
	lines := 0
	for line := range strings.Lines(f.log.String()) {
		holds := true
		for _, part := range parts {
			holds = holds && strings.Contains(line, part)
		}
		if holds {
			lines++
		}
	}
	if lines != times {
		t.Errorf("%d log lines hold %q, want %d:\n%s", lines, parts, times, f.log)
	}
}

func TestFlagsFollowTheirSources(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		f.want(t, false, true)
		say(f.first, yaml("a: true"))
		f.want(t, true, true)
		f.wantLogged(t, 1, "Flag changed", "flag=a", "on=true")
		say(f.first, yaml("{a: true, b: false}"))
		f.want(t, true, false)
		say(f.second, yaml("b: true")) // over the first one, and for what it names alone
		f.want(t, true, true)
		say(f.first, yaml("{}"))
		f.want(t, false, true)
		say(f.second, yaml("{a: true, b: false}"))
		f.want(t, true, false)
		say(f.second, yaml("{}"))
		f.want(t, false, true)
	})
}

// A source that has nothing yet is well; one that has nothing any more has lost it.
func TestSourceThatIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		say(f.first, flags.Reading{None: true})
		f.want(t, false, true)
		f.wantReads(t, "first", 1, 0, 0)
		say(f.first, yaml("a: true"))
		for range 2 {
			say(f.first, flags.Reading{None: true})
		}
		f.want(t, true, true)
		f.wantReads(t, "first", 2, 0, 1)
		f.wantLogged(t, 1, "level=WARN", "source=first", "write {} to it")
		say(f.first, yaml("{}"))
		f.want(t, false, true)
		f.wantLogged(t, 1, "Flags are good again")
	})
}

func TestMistakesChangeNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		say(f.first, yaml("{a: true, b: false}"))
		for range 2 { // the same again is nothing new
			say(f.first, yaml("{a: false, b: maybe}"))
		}
		f.want(t, true, false)
		f.wantLogged(t, 1, "level=ERROR", "source=first", "write true or false")
		say(f.second, yaml("b: true"))
		f.want(t, true, true)
		say(f.first, yaml("b: false"))
		f.want(t, false, true)
		f.wantLogged(t, 1, "Flags are good again", "source=first")
		f.wantReads(t, "first", 2, 1, 0)
		f.wantReads(t, "second", 1, 0, 0)
	})
}

func TestSourceThatCannotBeRead(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		say(f.first, yaml("a: true"))
		for _, text := range []string{"refused", "reset"} {
			say(f.first, flags.Reading{Err: errors.New(text)})
		}
		f.want(t, true, true)
		f.wantLogged(t, 1, "level=WARN", "source=first", "refused")
		say(f.first, yaml("a: true"))
		f.wantLogged(t, 1, "Flags are good again")
		f.wantReads(t, "first", 2, 0, 2)
	})
}

func (f *fixture) wantReads(t *testing.T, source string, taken, refused, failed float64) {
	t.Helper()
	for outcome, want := range map[string]float64{"taken": taken, "refused": refused, "failed": failed} {
		got := f.metric(t, "feature_flag_reads_total", source, outcome)
		if got != want {
			t.Errorf("feature_flag_reads_total of %s, %s = %v, want %v", source, outcome, got, want)
		}
	}
}

// metric is the value of the series with these labels' values.
func (f *fixture) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := f.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			found := 0
			for _, pair := range m.GetLabel() {
				for _, label := range labels {
					if pair.GetValue() == label {
						found++
					}
				}
			}
			if family.GetName() == name && found == len(labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Fatalf("there is no %s of %v", name, labels)
	return 0
}

func TestGaugeShowsFlags(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		for _, c := range []struct {
			text string
			a, b string
		}{{"{}", "0", "1"}, {"{a: true, b: false, unknown: true}", "1", "0"}} {
			say(f.first, yaml(c.text))
			want := "# HELP feature_flag_on 1 if the feature is on, else 0.\n# TYPE feature_flag_on gauge\n" +
				`feature_flag_on{flag="a"} ` + c.a + "\n" + `feature_flag_on{flag="b"} ` + c.b + "\n"
			if err := testutil.GatherAndCompare(f.registry, strings.NewReader(want), "feature_flag_on"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestFlagOfNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, f *fixture) {
		say(f.first, yaml("{recomendations: true}"))
		if f.On(t.Context(), "recomendations") {
			t.Error("a flag that the service does not have is on")
		}
		f.wantLogged(t, 1, "Flags are set that this service does not have", "source=first", "recomendations")
	})
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flags.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var got []flags.Reading
		done := make(chan struct{})
		go func() {
			defer close(done)
			flags.File(path).Follow(ctx, func(r flags.Reading) { got = append(got, r) })
		}()
		pass := func() { time.Sleep(1500 * time.Millisecond); synctest.Wait() } // the bubble's clock
		pass()
		write("a: true")
		pass()
		pass()
		write("{}")
		pass()
		cancel()
		<-done
		if len(got) != 3 || !errors.Is(got[0].Err, os.ErrNotExist) || got[1] != yaml("a: true") || got[2] != yaml("{}") {
			t.Errorf("readings = %v, want that there is no file, then both contents", got)
		}
	})
}

func TestKey(t *testing.T) {
	away := errors.New("refused")
	watch := func(_ context.Context, key string, update func([]byte, bool, error)) {
		update(nil, false, nil)
		update([]byte(key), true, nil)
		update(nil, true, nil) // an empty value
		update(nil, false, away)
	}
	var got []flags.Reading
	flags.Key("fleet/flags", watch).Follow(t.Context(), func(r flags.Reading) { got = append(got, r) })
	want := []flags.Reading{{None: true}, {Text: "fleet/flags"}, {}, {Err: away}}
	if len(got) != len(want) {
		t.Fatalf("readings = %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("reading %d = %v, want %v", i, got[i], want[i])
		}
	}
}
