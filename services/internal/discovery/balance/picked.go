package balance

import (
	"context"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"movieexample.com/fleet/services/internal/discovery/balance/eject"
)

// Picked learns where a call went.
type Picked struct {
	revision, missed, ejected atomic.Pointer[string]
	member                    atomic.Pointer[eject.Member]
	began                     atomic.Bool
}

// Begin is called before each attempt of a call that is one question and one answer. Only such calls tell how long an
// instance takes.
func (p *Picked) Begin() {
	p.revision.Store(nil)
	p.missed.Store(nil)
	p.ejected.Store(nil)
	p.member.Store(nil)
	p.began.Store(true)
}

// Answered takes the revision that the answer told, where no registry knows it beforehand.
func (p *Picked) Answered(revision string) {
	if p.Revision() == "" {
		p.revision.Store(&revision)
	}
	if m := p.member.Load(); m != nil {
		m.Learn(revision)
	}
}

// Revision is that of the last instance picked, or "" if none was or if it has none.
func (p *Picked) Revision() string { return text(p.revision.Load()) }

// Missed is the revision that the call was meant for, if no instance of it could be reached and another revision took
// the call; else "".
func (p *Picked) Missed() string { return text(p.missed.Load()) }

// Ejected is the address of the instance that took the call, if it gets no more calls because of how this one went; else "".
func (p *Picked) Ejected() string { return text(p.ejected.Load()) }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (p *Picked) judged() bool { return p != nil && p.began.Load() }

// judge makes the end of a call known to whoever ejects instances.
func (p *Picked) judge(e *endpoint, trial bool, next func(balancer.DoneInfo)) func(balancer.DoneInfo) {
	began := time.Now()
	return func(info balancer.DoneInfo) {
		if next != nil {
			next(info)
		}
		if e.member.Done(trial, verdict(info, time.Since(began))) {
			p.ejected.Store(&e.address)
		}
	}
}

const (
	// late is how long a call may take before it counts against the instance, whatever it answers then. It matters only
	// where its siblings are faster.
	late = 500 * time.Millisecond
	// patience is what an instance may take before a caller whose time is up tells anything about it.
	patience = 100 * time.Millisecond
)

// verdict is what a call tells about the instance.
func verdict(info balancer.DoneInfo, took time.Duration) eject.Result {
	if took >= late {
		return eject.Bad
	}
	switch status.Code(info.Err) {
	case codes.OK:
		if !info.BytesReceived { // the connection broke between choice and call; gRPC chooses anew
			return eject.Nothing
		}
		return eject.Good
	case codes.DeadlineExceeded:
		if took < patience {
			return eject.Nothing
		}
		return eject.Bad
	case codes.Canceled, codes.ResourceExhausted: // its caller is gone, or calls too much
		return eject.Nothing
	case codes.Unknown, codes.Internal, codes.Unavailable, codes.DataLoss:
		return eject.Bad
	default:
		return eject.Good
	}
}

type pickedKey struct{}

// WithPicked gives a call a place for where it goes to: the one that its caller has made already, or a new one.
func WithPicked(ctx context.Context) (context.Context, *Picked) {
	if p, ok := ctx.Value(pickedKey{}).(*Picked); ok {
		return ctx, p
	}
	ctx = WithNewPicked(ctx)
	return ctx, ctx.Value(pickedKey{}).(*Picked)
}

// WithNewPicked is for a call of its own that happens to have the values of another.
func WithNewPicked(ctx context.Context) context.Context {
	return context.WithValue(ctx, pickedKey{}, &Picked{})
}
