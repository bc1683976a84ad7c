package repositorytest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/rating/internal/model"
)

func hold(t *testing.T, r Ingester, s model.Source, revision string, next int64, now time.Time) {
	t.Helper()
	if err := r.Hold(t.Context(), s, revision, next, now); err != nil {
		t.Fatalf("Hold(%v, %s, %d) = %v, want nil", s, revision, next, err)
	}
}

func wantTenures(t *testing.T, r Ingester, s model.Source, want ...model.Tenure) {
	t.Helper()
	got, err := r.Tenures(t.Context(), s)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Tenures(%v) = %v (-want +got):\n%s", s, err, diff)
	}
}

// tenures are one for each change of the revision, at the lowest offset that one of its consumers began at.
func tenures(t *testing.T, r Ingestion) {
	one, minute := source(0), time.Minute
	wantTenures(t, r, one)
	hold(t, r, one, "a", 7, start)
	hold(t, r, one, "a", 9, start.Add(minute)) // another of its pods, or the same after a failure
	hold(t, r, one, "b", 12, start.Add(2*minute))
	hold(t, r, one, "a", 20, start.Add(3*minute))
	hold(t, r, one, "a", 3, start.Add(4*minute)) // somebody has rewound the partition
	anew, other, group := one, source(1), one
	anew.TopicID, group.Group = [16]byte{0: 2}, "rätings "
	for i, s := range []model.Source{anew, other, group} {
		hold(t, r, s, "", int64(i), start) // one that was started by hand
		wantTenures(t, r, s, model.Tenure{From: int64(i), Since: start})
	}
	wantTenures(t, r, one, model.Tenure{Revision: "a", From: 7, Since: start},
		model.Tenure{Revision: "b", From: 12, Since: start.Add(2 * minute)}, model.Tenure{Revision: "a", From: 3, Since: start.Add(3 * minute)})
}

// oldTenures are forgotten when they ended long ago, however long ago they began.
func oldTenures(t *testing.T, r Ingestion) {
	day := 24 * time.Hour
	hold(t, r, source(1), "a", 1, start)
	hold(t, r, source(0), "a", 1, start)
	hold(t, r, source(0), "b", 2, start.Add(day))
	hold(t, r, source(0), "c", 3, start.Add(2*day))
	now := start.Add(day).Add(model.TenureRetention).Add(time.Hour)
	hold(t, r, source(0), "d", 4, now)
	wantTenures(t, r, source(0), model.Tenure{Revision: "b", From: 2, Since: start.Add(day)},
		model.Tenure{Revision: "c", From: 3, Since: start.Add(2 * day)}, model.Tenure{Revision: "d", From: 4, Since: now})
	wantTenures(t, r, source(1), model.Tenure{Revision: "a", From: 1, Since: start})
}
