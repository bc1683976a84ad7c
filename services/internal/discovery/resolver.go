package discovery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"

	"movieexample.com/fleet/services/internal/telemetry"
)

type (
	revisionKey struct{}
	subsetKey   struct{}
	splitKey    struct{}
)

// split is a list of shares that attributes can compare.
type split []Share

func (s split) Equal(other any) bool {
	o, ok := other.(split)
	return ok && slices.Equal(s, o)
}

// RevisionOf is the revision of an endpoint that a resolver of this package gave, or "".
func RevisionOf(e resolver.Endpoint) string {
	revision, _ := e.Attributes.Value(revisionKey{}).(string)
	return revision
}

// SubsetOf is the revision that gets the requests which no share takes, or "" for all.
func SubsetOf(s resolver.State) string {
	subset, _ := s.Attributes.Value(subsetKey{}).(string)
	return subset
}

// SplitOf is how the requests are shared out; empty if the subset gets them all.
func SplitOf(s resolver.State) []Share {
	shares, _ := s.Attributes.Value(splitKey{}).(split)
	return shares
}

// NewResolver makes gRPC targets scheme:///service follow the watcher.
func NewResolver(scheme string, watcher Watcher, log *slog.Logger) resolver.Builder {
	return &builder{scheme: scheme, watcher: watcher, log: log.With(telemetry.KeyComponent, "discovery")}
}

type builder struct {
	scheme  string
	watcher Watcher
	log     *slog.Logger
}

func (b *builder) Scheme() string { return b.scheme }

// OverrideAuthority keeps a list of addresses out of the :authority header.
func (b *builder) OverrideAuthority(target resolver.Target) string {
	first, _, _ := strings.Cut(target.Endpoint(), ",")
	return first
}

func (b *builder) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{service: target.Endpoint(), cc: cc, cancel: cancel, log: b.log.With(telemetry.KeyTarget, target.Endpoint())}
	f.wait.Go(func() { b.watcher.Watch(ctx, f.service, f.update) })
	return f, nil
}

// follower hands the state of one service to one gRPC connection.
type follower struct {
	service string
	cc      resolver.ClientConn
	log     *slog.Logger
	cancel  context.CancelFunc
	wait    sync.WaitGroup

	current Snapshot
	trouble string // the last problem that was logged, so that one problem is one line
}

// ResolveNow does nothing: changes arrive by themselves.
func (f *follower) ResolveNow(resolver.ResolveNowOptions) {}

func (f *follower) Close() {
	f.cancel()
	f.wait.Wait()
}

func (f *follower) update(next Snapshot, err error) {
	if err != nil {
		f.note("Cannot ask the registry; keeping what is known", telemetry.KeyError, err.Error())
		f.fail(fmt.Errorf("no instance of %s registered (%w)", f.service, err))
		return
	}
	use, err := sustain(f.service, f.current, next)
	if err != nil {
		f.note("The registry has no instance", telemetry.KeyError, err.Error())
		f.fail(err)
		return
	}
	if use.Subset != next.Subset || len(use.Instances) != len(next.Instances) {
		f.note("Keeping the last good instances: the registry has none of the revision it names", "revision", next.Subset)
	} else {
		f.settle(use)
	}
	f.current = use
	// The balancer has no better use for an error than this package: the next change mends it.
	_ = f.cc.UpdateState(state(use))
}

// fail lets callers see the error, if there never was an instance that they could use instead.
func (f *follower) fail(err error) {
	if len(f.current.Instances) == 0 {
		f.cc.ReportError(err)
	}
}

func (f *follower) note(message string, args ...any) {
	if f.trouble != message {
		f.trouble = message
		f.log.Warn(message, args...)
	}
}

func (f *follower) settle(use Snapshot) {
	if f.trouble != "" || f.current.Subset != use.Subset || !slices.Equal(f.current.Split, use.Split) || len(f.current.Instances) == 0 {
		f.log.Info("Following the registry", "instances", len(use.Instances), "subset", use.Subset, "split", fmt.Sprint(use.Split))
	}
	f.trouble = ""
}

func state(s Snapshot) resolver.State {
	st := resolver.State{Attributes: attributes.New(subsetKey{}, s.Subset).WithValue(splitKey{}, split(s.Split))}
	for _, i := range s.Instances {
		st.Endpoints = append(st.Endpoints, resolver.Endpoint{
			Addresses:  []resolver.Address{{Addr: i.Address()}},
			Attributes: attributes.New(revisionKey{}, i.Revision),
		})
	}
	return st
}
