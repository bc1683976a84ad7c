package batch

import "slices"

// Once is ids without those that stood there before. The list itself is left alone.
func Once(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		before := seen[id]
		seen[id] = true
		return before
	})
}

// InOrder are the values under ids, and the ids without one, both in the order of ids.
func InOrder[T any](ids []string, values map[string]T) (found []T, missing []string) {
	for _, id := range ids {
		if value, ok := values[id]; ok {
			found = append(found, value)
			continue
		}
		missing = append(missing, id)
	}
	return found, missing
}
