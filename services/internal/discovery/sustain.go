package discovery

import (
	"fmt"
	"slices"
)

// sustain decides what to use after a registry said next, while prev was in use (the zero Snapshot at first).
// It fails static: an empty answer after a good one is more likely a sick registry than a fleet that is gone, so the
// last good instances stay. Only a service that never had an instance is an error.
func sustain(service string, prev, next Snapshot) (Snapshot, error) {
	// A registry that lost its data lost the choice of the subset too, and the split with it. Without them, revisions
	// that nobody has released would get requests, so the last choice holds while it has instances.
	if next.Subset == "" && prev.Subset != "" && (len(next.Instances) == 0 || len(next.Of(prev.Subset)) > 0) {
		next.Subset = prev.Subset
		if len(next.Split) == 0 {
			next.Split = prev.Split
		}
	}
	switch {
	case len(next.Of(next.Subset)) > 0:
		return next, nil
	case len(prev.Instances) == 0 && len(next.serving()) > 0:
		return next, nil // of a share only: better than to fail
	case len(prev.Instances) == 0 && next.Subset != "":
		return prev, fmt.Errorf("no instance of %s registered (none of revision %s is healthy)", service, next.Subset)
	case len(prev.Instances) == 0:
		return prev, fmt.Errorf("no instance of %s registered (the registry has none that is healthy)", service)
	}
	// The subset is empty: stay with its own last instances, or with the last subset if it never had one.
	keep := next.Subset
	if len(prev.Of(keep)) == 0 {
		keep = prev.Subset
	}
	return merge(prev, next, keep), nil
}

// merge is next with the instances of prev that it lacks: all that serve if it is empty, else those of the subset.
func merge(prev, next Snapshot, subset string) Snapshot {
	merged := Snapshot{Subset: subset, Split: next.Split, Instances: slices.Clone(next.Instances)}
	switch {
	case len(next.Instances) == 0:
		merged.Instances = Snapshot{Instances: prev.Instances, Subset: subset, Split: next.Split}.serving()
	case len(next.Of(subset)) == 0:
		merged.Instances = append(merged.Instances, prev.Of(subset)...)
	}
	return merged
}
