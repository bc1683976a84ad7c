package controller

import (
	"context"
	"errors"
	"iter"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/model"
)

// Store keeps contents. Receive is safe for many callers, here and in other instances.
type Store interface {
	Receive(ctx context.Context, h model.Header, chunks iter.Seq2[[]byte, error]) (model.Receipt, error)
	Upload(id string) (model.Upload, error)
	File(id string) (model.File, error)
}

// What became of an upload, or of one stream of it.
const (
	outcomeStored      = "stored"      // a new content
	outcomeExisted     = "existed"     // its content was there already
	outcomeInterrupted = "interrupted" // may be taken up again
	outcomeAborted     = "aborted"     // another stream has it, or it does not fit what is there
	outcomeRefused     = "refused"     // breaks rules
	outcomeNoRoom      = "no_room"     // too large, or the volume is full
	outcomeFailed      = "failed"      // a mistake of ours, or of the volume
)

// Files is the rules of files. It is safe for concurrent use.
type Files struct {
	store   Store // nil: there is no place for files
	maxSize int64
	uploads *prometheus.CounterVec
}

// NoFiles is for an installation without a place for files.
func NoFiles() *Files { return &Files{} }

// NewFiles takes where contents are kept, and the largest size of one. It registers uploads_total.
func NewFiles(store Store, maxSize int64, metrics prometheus.Registerer) *Files {
	f := &Files{store: store, maxSize: maxSize, uploads: promauto.With(metrics).NewCounterVec(prometheus.CounterOpts{
		Name: "uploads_total", Help: "Streams of UploadFile that ended, by outcome.",
	}, []string{"outcome"})}
	for _, outcome := range []string{
		outcomeStored, outcomeExisted, outcomeInterrupted, outcomeAborted, outcomeRefused, outcomeNoRoom, outcomeFailed,
	} {
		f.uploads.WithLabelValues(outcome)
	}
	return f
}

// Receive stores what the chunks make together.
func (f *Files) Receive(ctx context.Context, h model.Header, chunks iter.Seq2[[]byte, error]) (model.Receipt, error) {
	if f.store == nil {
		return model.Receipt{}, errNoPlace()
	}
	receipt, err := f.receive(ctx, h, chunks)
	f.uploads.WithLabelValues(outcome(receipt, err)).Inc()
	return receipt, err
}

func (f *Files) receive(ctx context.Context, h model.Header, chunks iter.Seq2[[]byte, error]) (model.Receipt, error) {
	if h.Size > f.maxSize {
		return model.Receipt{}, problem.NewExhausted(nil, "the content has %d bytes, at most %d are allowed (files.maxSize)", h.Size, f.maxSize)
	}
	if h.Offset > h.Size {
		return model.Receipt{}, problem.NewInvalid([]problem.Violation{{Field: "header.offset", Description: "is beyond the size"}})
	}
	return f.store.Receive(ctx, h, chunks)
}

// Upload tells how far an upload is.
func (f *Files) Upload(id string) (model.Upload, error) {
	if f.store == nil {
		return model.Upload{}, errNoPlace()
	}
	return f.store.Upload(id)
}

// File tells what is known of a stored content.
func (f *Files) File(id string) (model.File, error) {
	if f.store == nil {
		return model.File{}, errNoPlace()
	}
	return f.store.File(id)
}

func errNoPlace() error {
	return problem.NewUnimplemented("files are not kept here: set files.path to a directory on a volume that all instances share")
}

func outcome(receipt model.Receipt, err error) string {
	switch {
	case err == nil && receipt.Existed:
		return outcomeExisted
	case err == nil:
		return outcomeStored
	case errors.Is(err, model.ErrInterrupted), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return outcomeInterrupted
	}
	switch problem.KindOf(err) {
	case problem.Aborted:
		return outcomeAborted
	case problem.Invalid:
		return outcomeRefused
	case problem.Exhausted:
		return outcomeNoRoom
	default:
		return outcomeFailed
	}
}
