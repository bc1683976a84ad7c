package memory

import (
	"maps"

	"movieexample.com/fleet/services/rating/internal/model"
)

// Rows are what is stored of the records of a type.
func (r *Repository) Rows(recordType string) map[model.Key]model.Row {
	r.mu.RLock()
	defer r.mu.RUnlock()
	rows := maps.Clone(r.rows)
	maps.DeleteFunc(rows, func(key model.Key, _ model.Row) bool { return key.Record.Type != recordType })
	return rows
}
