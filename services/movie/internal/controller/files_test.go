package controller_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/controller"
	"movieexample.com/fleet/services/movie/internal/model"
)

// store ends each stream in the same way, and knows one upload and one file.
type store struct {
	receipt model.Receipt
	err     error
}

func (s store) Receive(context.Context, model.Header, iter.Seq2[[]byte, error]) (model.Receipt, error) {
	return s.receipt, s.err
}
func (store) Upload(id string) (model.Upload, error) { return model.Upload{FileID: id}, nil }
func (store) File(id string) (model.File, error)     { return model.File{ID: id}, nil }

func counted(t *testing.T, g prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "uploads_total" {
		t.Fatalf("metrics = %v, %v, want uploads_total", families, err)
	}
	got := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		if v := m.GetCounter().GetValue(); v > 0 {
			got[m.GetLabel()[0].GetValue()] = v
		}
	}
	return got
}

func TestReceiveCountsOutcomes(t *testing.T) {
	fits := model.Header{Size: 10, Offset: 10}
	invalid := problem.NewInvalid([]problem.Violation{{Field: "header.name"}})
	for name, c := range map[string]struct {
		header  model.Header
		store   store
		kind    problem.Kind // of the error, if there is one
		outcome string
	}{
		"stored":            {fits, store{receipt: model.Receipt{FileID: "f"}}, 0, "stored"},
		"there already":     {fits, store{receipt: model.Receipt{FileID: "f", Existed: true}}, 0, "existed"},
		"sender stopped":    {fits, store{err: fmt.Errorf("at 7: %w", model.ErrInterrupted)}, 0, "interrupted"},
		"sender gone":       {fits, store{err: context.Canceled}, 0, "interrupted"},
		"out of time":       {fits, store{err: context.DeadlineExceeded}, 0, "interrupted"},
		"another's":         {fits, store{err: problem.NewAborted("another stream has it")}, problem.Aborted, "aborted"},
		"breaks rules":      {fits, store{err: invalid}, problem.Invalid, "refused"},
		"volume full":       {fits, store{err: problem.NewExhausted(nil, "full")}, problem.Exhausted, "no_room"},
		"volume broken":     {fits, store{err: errors.New("input/output error")}, 0, "failed"},
		"too large":         {model.Header{Size: 11}, store{}, problem.Exhausted, "no_room"},
		"offset beyond end": {model.Header{Size: 1, Offset: 2}, store{}, problem.Invalid, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			got, err := controller.NewFiles(c.store, 10, registry).Receive(t.Context(), c.header, nil)
			if got != c.store.receipt || c.kind != 0 && problem.KindOf(err) != c.kind || c.store.err != nil && !errors.Is(err, c.store.err) {
				t.Errorf("Receive = %v, %v, want %v and kind %v or %v", got, err, c.store.receipt, c.kind, c.store.err)
			}
			if diff := cmp.Diff(map[string]float64{c.outcome: 1}, counted(t, registry)); diff != "" {
				t.Errorf("uploads_total (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoPlaceForFiles(t *testing.T) {
	f := controller.NoFiles()
	_, received := f.Receive(t.Context(), model.Header{}, nil)
	_, upload := f.Upload("u")
	_, file := f.File("f")
	for call, err := range map[string]error{"Receive": received, "Upload": upload, "File": file} {
		if problem.KindOf(err) != problem.Unimplemented {
			t.Errorf("%s without a place for files = %v, want Unimplemented", call, err)
		}
	}
}

func TestUploadsAndFilesAreTheStores(t *testing.T) {
	f := controller.NewFiles(store{}, 10, prometheus.NewRegistry())
	if got, err := f.Upload("u"); err != nil || got.FileID != "u" {
		t.Errorf("Upload = %v, %v, want the store's", got, err)
	}
	if got, err := f.File("f"); err != nil || got.ID != "f" {
		t.Errorf("File = %v, %v, want the store's", got, err)
	}
}
