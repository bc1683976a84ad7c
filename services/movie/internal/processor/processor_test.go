package processor_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
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

	"movieexample.com/fleet/services/movie/internal/files"
	"movieexample.com/fleet/services/movie/internal/model"
	"movieexample.com/fleet/services/movie/internal/processor"
	"movieexample.com/fleet/services/movie/internal/uploadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a real store, and a processor that runs until the end of the test.
type fixture struct {
	store   *files.Store
	dir     string
	metrics *prometheus.Registry
	log     *bytes.Buffer // read it after stop
	stop    func()
}

func run(t *testing.T, index uint64, wrap func(processor.Store) processor.Store) fixture {
	t.Helper()
	f := fixture{dir: t.TempDir(), metrics: prometheus.NewRegistry(), log: &bytes.Buffer{}}
	f.store = uploadtest.Open(t, f.dir)
	var store processor.Store = f.store
	if wrap != nil {
		store = wrap(store)
	}
	p := processor.New(store, 24*time.Hour, slog.New(slog.NewTextHandler(f.log, nil)), f.metrics)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx, index) }()
	f.stop = func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v, want that the context ended", err)
		}
	}
	return f
}

// receive stores a content and returns its id.
func (f fixture) receive(t *testing.T, content string) string {
	t.Helper()
	var chunks iter.Seq2[[]byte, error] = func(yield func([]byte, error) bool) { yield([]byte(content), nil) }
	h := model.Header{UploadID: content, Name: "x", Size: int64(len(content))}
	receipt, err := f.store.Receive(t.Context(), h, chunks)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.FileID
}

func (f fixture) state(t *testing.T, id string) model.FileState {
	t.Helper()
	file, err := f.store.File(id)
	if err != nil {
		t.Fatal(err)
	}
	return file.State
}

func (f fixture) wantProcessed(t *testing.T, want map[string]int) {
	t.Helper()
	var text strings.Builder
	text.WriteString("# HELP files_processed_total Checks of uploaded files, by outcome.\n# TYPE files_processed_total counter\n")
	for _, outcome := range []string{"damaged", "failed", "late", "ready"} {
		text.WriteString("files_processed_total{outcome=\"" + outcome + "\"} " + string(rune('0'+want[outcome])) + "\n")
	}
	if err := testutil.GatherAndCompare(f.metrics, strings.NewReader(text.String()), "files_processed_total"); err != nil {
		t.Error(err)
	}
}

func TestFilesBecomeReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, 3, nil)
		first := f.receive(t, "first")
		time.Sleep(3 * time.Second)
		second := f.receive(t, "second") // comes while it runs
		if got := f.state(t, first); got != model.Ready {
			t.Errorf("state = %v, want ready", got)
		}
		time.Sleep(time.Minute)
		if got := f.state(t, second); got != model.Ready {
			t.Errorf("state of the second = %v, want ready", got)
		}
		f.stop()
		f.wantProcessed(t, map[string]int{"ready": 2})
	})
}

func TestADamagedFileIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, 3, nil)
		synctest.Wait()
		id := f.receive(t, "content")
		sum := sha256.Sum256([]byte("content"))
		path := filepath.Join(f.dir, "files", hex.EncodeToString(sum[:1]), hex.EncodeToString(sum[:]), "content")
		if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("c0ntent"), 0o600)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := f.state(t, id); got != model.Damaged {
			t.Errorf("state = %v, want damaged", got)
		}
		f.stop()
		f.wantProcessed(t, map[string]int{"damaged": 1})
		if !strings.Contains(f.log.String(), "A file is damaged") || !strings.Contains(f.log.String(), id) {
			t.Errorf("log = %s, want the damaged file", f.log)
		}
	})
}

// paused lets a later holder finish the job while this one reads.
type paused struct {
	processor.Store

	meanwhile func()
}

func (p paused) Inspect(ctx context.Context, id string) (model.Finding, error) {
	found, err := p.Store.Inspect(ctx, id)
	p.meanwhile()
	return found, err
}

func TestALateHolderChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sum := sha256.Sum256([]byte("content"))
		id := "sha256-" + hex.EncodeToString(sum[:])
		ready := make(chan fixture, 1)
		f := run(t, 5, func(s processor.Store) processor.Store {
			return paused{Store: s, meanwhile: func() {
				f := <-ready
				if _, err := f.store.Mark(id, 6, model.Finding{Type: "of the later holder"}); err != nil {
					t.Error(err)
				}
			}}
		})
		ready <- f
		f.receive(t, "content")
		time.Sleep(time.Minute)
		f.stop()
		if file, err := f.store.File(id); err != nil || file.Type != "of the later holder" {
			t.Errorf("File() = %+v, %v, want what the later holder found", file, err)
		}
		f.wantProcessed(t, map[string]int{"late": 1})
		jobs, err := f.store.Pending(t.Context(), 6)
		if err != nil || len(jobs) != 1 {
			t.Errorf("Pending() of the later holder = %v, %v, want that it finishes the job itself", jobs, err)
		}
	})
}

// failing fails each step once, in turn.
type failing struct {
	processor.Store

	step *int
}

func (f failing) fail(step int) error {
	if *f.step == step {
		*f.step++
		return errors.New("stale file handle")
	}
	return nil
}

func (f failing) Pending(ctx context.Context, index uint64) ([]model.Job, error) {
	if err := f.fail(0); err != nil {
		return nil, err
	}
	return f.Store.Pending(ctx, index)
}

func (f failing) Inspect(ctx context.Context, id string) (model.Finding, error) {
	if err := f.fail(1); err != nil {
		return model.Finding{}, err
	}
	return f.Store.Inspect(ctx, id)
}

func (f failing) Mark(id string, index uint64, found model.Finding) (bool, error) {
	if err := f.fail(2); err != nil {
		return false, err
	}
	return f.Store.Mark(id, index, found)
}

func (f failing) Finish(j model.Job) error {
	if err := f.fail(3); err != nil {
		return err
	}
	return f.Store.Finish(j)
}

func TestWhatFailsIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := 0
		f := run(t, 3, func(s processor.Store) processor.Store { return failing{Store: s, step: &step} })
		id := f.receive(t, "content")
		time.Sleep(time.Minute)
		f.stop()
		if got := f.state(t, id); got != model.Ready {
			t.Errorf("state = %v, want ready", got)
		}
		f.wantProcessed(t, map[string]int{"failed": 4, "ready": 2})
		if jobs, err := f.store.Pending(t.Context(), 3); err != nil || len(jobs) != 0 {
			t.Errorf("Pending() = %v, %v, want nothing", jobs, err)
		}
	})
}

// hanging reads until its context ends, as on a volume that does not answer.
type hanging struct{ processor.Store }

func (hanging) Inspect(ctx context.Context, _ string) (model.Finding, error) {
	<-ctx.Done()
	return model.Finding{}, ctx.Err()
}

func TestAJobThatHangsIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, 3, func(s processor.Store) processor.Store { return hanging{s} })
		synctest.Wait()
		f.receive(t, "content")
		time.Sleep(5*time.Minute + 3*time.Second)
		f.stop() // in the middle of the second try, which is no failure
		f.wantProcessed(t, map[string]int{"failed": 1})
	})
}

func TestWhatBrokeIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := run(t, 3, nil)
		old := filepath.Join(f.dir, "tmp", "LEFTBEHIND")
		if err := errors.Join(os.WriteFile(old, nil, 0o600), os.Chtimes(old, time.Time{}, time.Now().Add(-25*time.Hour))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Minute)
		f.stop()
		if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("Stat = %v, want that it is gone", err)
		}
		if !strings.Contains(f.log.String(), "Removed what was left") {
			t.Errorf("log = %s, want what was removed", f.log)
		}
	})
}
