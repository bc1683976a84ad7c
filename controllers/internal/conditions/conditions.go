package conditions

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxMessage keeps messages within what people read and what the API server stores.
const maxMessage = 1024

// Set puts c into list: lastTransitionTime moves only when the status changes, and the condition speaks of generation.
func Set(list *[]metav1.Condition, generation int64, now time.Time, c metav1.Condition) {
	c.ObservedGeneration = generation
	c.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
	c.Message = shorten(c.Message)
	for i := range *list {
		old := &(*list)[i]
		if old.Type != c.Type {
			continue
		}
		if old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		*old = c
		return
	}
	*list = append(*list, c)
}

// Remove drops the condition of a type.
func Remove(list *[]metav1.Condition, conditionType string) {
	for i := range *list {
		if (*list)[i].Type == conditionType {
			*list = append((*list)[:i], (*list)[i+1:]...)
			return
		}
	}
}

func shorten(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage-len("…")], "") + "…"
}
