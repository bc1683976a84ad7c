package discovery

import "fmt"

// sustain decides what to use after a registry said next, while prev was in use (the zero Snapshot at first).
// It fails static: an empty answer after a good one is more likely a sick registry than a fleet that is gone, so the
// last good instances stay. Only a service that never had an instance is an error.
func sustain(service string, prev, next Snapshot) (Snapshot, error) {
	// A registry that lost its data lost the choice of the subset too. Without it, revisions that nobody has released
	// would get requests, so the last choice holds while it has instances.
	if next.Subset == "" && (len(next.Instances) == 0 || len(next.Of(prev.Subset)) > 0) {
		next.Subset = prev.Subset
	}
	switch {
	case len(next.Of(next.Subset)) > 0:
		return next, nil
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
	return merge(next, prev.Of(keep), keep), nil
}

// merge is next with the kept instances where it has none of that subset.
func merge(next Snapshot, kept []Instance, subset string) Snapshot {
	merged := Snapshot{Subset: subset, Instances: append([]Instance(nil), next.Instances...)}
	if len(next.Of(subset)) > 0 {
		return merged
	}
	merged.Instances = append(merged.Instances, kept...)
	return merged
}
