package repositorytest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"movieexample.com/fleet/services/rating/internal/model"
)

// contended is what several writers write at the same keys, and where it ends.
func contended() (writes []model.Write, want map[model.Key]model.Write) {
	rows := map[model.Key]model.Row{}
	for i := range 400 {
		key := model.Key{Record: model.Record{Type: "movie", ID: fmt.Sprint("tt", i%5)}, UserID: fmt.Sprint("user", i%8)}
		w := model.Write{Key: key, OccurredAt: start.Add(time.Duration(i%11) * time.Second), Deleted: i%3 == 0}
		if !w.Deleted {
			w.Value = i%5 + 1
		}
		writes = append(writes, w)
		applyRules(rows, w, start)
	}
	want = map[model.Key]model.Write{}
	for key, row := range rows {
		want[key] = row.Write
	}
	return writes, want
}

func shuffled(writes []model.Write, seed int) []model.Write {
	own := slices.Clone(writes)
	random := rand.New(rand.NewPCG(uint64(seed), 7)) // the same order in each run
	random.Shuffle(len(own), func(a, b int) { own[a], own[b] = own[b], own[a] })
	return own
}

// consume applies the writes in batches of ever other sizes, as the only consumer of its partition.
func consume(t *testing.T, r Ingester, s model.Source, writes []model.Write) (applied int) {
	begin(t, r, s, 0, 0)
	for next, size := 0, 1; next < len(writes); size = size*2%61 + 1 {
		part := writes[next:min(next+size, len(writes))]
		for _, outcome := range ingest(t, r, s, int64(next), part, start) {
			if outcome == model.Applied {
				applied++
			}
		}
		next += len(part)
	}
	return applied
}

// Consumers and requests write the same at once, each in another order: the table is that of the last writes.
func batchesBesideAPI(t *testing.T, r Ingestion) {
	writes, want := contended()
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() { consume(t, r, source(int32(i)), shuffled(writes, i)) })
	}
	lists := make([][]model.Write, 4)
	for i := range lists {
		lists[i] = shuffled(writes, 4+i)
	}
	atOnce(t, r, lists...)
	group.Wait()
	wantLast(t, r, want)
}

// wantLast wants these writes stored, whenever that was, and the aggregates that are theirs.
func wantLast(t *testing.T, r Ingestion, want map[model.Key]model.Write) {
	t.Helper()
	rows := r.rows(t, "movie")
	got := map[model.Key]model.Write{}
	for key, row := range rows {
		got[key] = row.Write
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is stored (-want +got):\n%s", diff)
	}
	wantTable(t, r, "movie", rows)
}

// Tombstones that nothing can revive any more are purged while batches come: aggregates are right, and no rating is lost.
func batchesBesidePurging(t *testing.T, r Ingestion) {
	writes, want := contended()
	// Each key ends with a write of its own that is later than whatever is purged, so that what is forgotten shows nowhere.
	for key := range maps.Clone(want) {
		last := model.Write{Key: key, Value: 5, OccurredAt: start.Add(time.Hour)}
		writes, want[key] = append(writes, last), last
	}
	ctx, stop := context.WithCancel(t.Context())
	var purgers, consumers sync.WaitGroup
	for range 2 {
		purgers.Go(func() {
			for ctx.Err() == nil {
				if _, err := r.Purge(context.WithoutCancel(ctx), start.Add(time.Minute), 3); err != nil {
					t.Errorf("Purge = %v, want nil", err)
				}
			}
		})
	}
	for i := range 4 {
		consumers.Go(func() { consume(t, r, source(int32(i)), shuffled(writes, i)) })
	}
	consumers.Wait()
	stop()
	purgers.Wait()
	wantLast(t, r, want)
}

func movedChangesNothing(t *testing.T, r Ingestion) {
	here := source(0)
	begin(t, r, here, 5, 5)
	ingest(t, r, here, 5, []model.Write{put("u", 4, 0), remove("v", 0)}, start)
	before := r.rows(t, "movie")
	anew := here
	anew.TopicID[0] = 9
	for name, span := range map[string]model.Span{
		"behind":           {Source: here, From: 5, Next: 9},
		"ahead":            {Source: here, From: 8, Next: 9},
		"never begun":      {Source: source(1), From: 0, Next: 9},
		"another topic id": {Source: anew, From: 7, Next: 9},
	} {
		outcomes, err := r.Ingest(t.Context(), span, []model.Write{put("u", 1, time.Hour), put("w", 2, 0)}, start)
		if !errors.Is(err, model.ErrMoved) || outcomes != nil {
			t.Errorf("%s: Ingest = %v, %v, want ErrMoved", name, outcomes, err)
		}
	}
	for _, next := range []int64{7, 6} {
		if _, err := r.Ingest(t.Context(), model.Span{Source: here, From: 7, Next: next}, nil, start); err == nil {
			t.Errorf("Ingest from 7 to %d = nil, want an error", next)
		}
	}
	wantPosition(t, r, here, 7)
	if diff := cmp.Diff(before, r.rows(t, "movie")); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
	wantAggregate(t, r, movie, model.Aggregate{Sum: 4, Count: 1})

	span := model.Span{Source: here, From: 7, Next: 12} // nothing in it is a write: all were refused
	if outcomes, err := r.Ingest(t.Context(), span, nil, start); err != nil || len(outcomes) != 0 {
		t.Errorf("Ingest of no writes = %v, %v, want nothing", outcomes, err)
	}
	wantPosition(t, r, here, 12)
}

// Many believe that a partition is theirs: of each span one batch counts, whole, and the others change nothing.
func oneHolderWins(t *testing.T, r Ingestion) {
	const holders, spans, size = 6, 10, 3
	s := source(0)
	begin(t, r, s, 0, 0)
	var wins [spans]atomic.Int32
	var group sync.WaitGroup
	for holder := range holders {
		group.Go(func() {
			for i := range spans {
				var batch []model.Write
				for j := range size {
					batch = append(batch, put(fmt.Sprintf("holder%d-%d-%d", holder, i, j), 3, 0))
				}
				span := model.Span{Source: s, From: int64(i * size), Next: int64((i + 1) * size)}
				switch _, err := r.Ingest(context.WithoutCancel(t.Context()), span, batch, start); {
				case err == nil:
					wins[i].Add(1)
				case !errors.Is(err, model.ErrMoved):
					t.Errorf("Ingest(%v) = %v, want nil or ErrMoved", span, err)
				}
			}
		})
	}
	group.Wait()
	var want int64
	for i := range wins {
		won := wins[i].Load()
		want += int64(won)
		if won > 1 || i == 0 && won == 0 {
			t.Errorf("span %d was ingested %d times, want once", i, won)
		}
	}
	wantPosition(t, r, s, want*size)
	wantAggregate(t, r, movie, model.Aggregate{Sum: 3 * size * want, Count: size * want})
}
