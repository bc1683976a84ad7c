package repositorytest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"movieexample.com/fleet/services/rating/internal/model"
)

// Ingester is a store that takes batches, and knows how far each partition is.
type Ingester interface {
	Store
	Position(ctx context.Context, source model.Source) (next int64, found bool, err error)
	Begin(ctx context.Context, source model.Source, next int64) (int64, error)
	Rewind(ctx context.Context, source model.Source, next int64) error
	Positions(ctx context.Context, group string) ([]model.Position, error)
	Hold(ctx context.Context, source model.Source, revision string, next int64, now time.Time) error
	Tenures(ctx context.Context, source model.Source) ([]model.Tenure, error)
	Ingest(ctx context.Context, span model.Span, writes []model.Write, now time.Time) ([]model.Outcome, error)
}

// Ingestion is a new and empty store for a test, and a look into it.
type Ingestion struct {
	Ingester

	// Rows are all that is stored of the records of a type.
	Rows func(recordType string) (map[model.Key]model.Row, error)
}

func (i Ingestion) rows(t require, recordType string) map[model.Key]model.Row {
	t.Helper()
	rows, err := i.Rows(recordType)
	if err != nil {
		t.Fatalf("rows of %s: %v", recordType, err)
	}
	return rows
}

// require is what a test and a property have in common.
type require interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// RunIngest tests what RunStore does, and batches.
func RunIngest(t *testing.T, makeNew func(t *testing.T) Ingestion) {
	RunStore(t, func(t *testing.T) Store { return makeNew(t).Ingester })
	for name, test := range map[string]func(*testing.T, Ingestion){
		"positions":                               positions,
		"who has read a partition":                tenures,
		"who has read a partition long ago":       oldTenures,
		"a batch is one write after the other":    batchIsOneByOne,
		"any batches end the same":                anyBatches,
		"a batch of very many":                    veryMany,
		"batches beside the API":                  batchesBesideAPI,
		"batches beside purging":                  batchesBesidePurging,
		"a moved partition changes nothing":       movedChangesNothing,
		"one of many holders of a partition wins": oneHolderWins,
	} {
		t.Run(name, func(t *testing.T) { test(t, makeNew(t)) })
	}
}

func source(partition int32) model.Source {
	return model.Source{Group: "rating", Topic: "ratings", TopicID: [16]byte{15: 1}, Partition: partition}
}

func begin(t require, r Ingester, s model.Source, next, want int64) {
	t.Helper()
	if got, err := r.Begin(context.Background(), s, next); err != nil || got != want {
		t.Fatalf("Begin(%v, %d) = %d, %v, want %d", s, next, got, err, want)
	}
}

func wantPosition(t require, r Ingester, s model.Source, want int64) {
	t.Helper()
	if got, found, err := r.Position(context.Background(), s); err != nil || !found || got != want {
		t.Errorf("Position(%v) = %d, %t, %v, want %d", s, got, found, err, want)
	}
}

// ingest applies a batch that is as long as its span, from where the source is.
func ingest(t require, r Ingester, s model.Source, from int64, writes []model.Write, now time.Time) []model.Outcome {
	t.Helper()
	span := model.Span{Source: s, From: from, Next: from + int64(len(writes))}
	outcomes, err := r.Ingest(context.Background(), span, writes, now)
	if err != nil || len(outcomes) != len(writes) {
		t.Fatalf("Ingest(%v) = %v, %v, want %d outcomes", span, outcomes, err, len(writes))
	}
	return outcomes
}

func positions(t *testing.T, r Ingestion) {
	one := source(0)
	if _, found, err := r.Position(t.Context(), one); err != nil || found {
		t.Errorf("Position before Begin = %t, %v, want none", found, err)
	}
	begin(t, r, one, 7, 7)
	begin(t, r, one, 9, 7) // somebody has begun already
	anew, other, group := one, source(1), one
	anew.TopicID, group.Group = [16]byte{0: 2}, "rätings "
	for i, s := range []model.Source{anew, other, group} {
		begin(t, r, s, int64(i), int64(i))
	}
	wantPosition(t, r, one, 7)
	ingest(t, r, one, 7, []model.Write{put("u", 4, 0)}, start)
	wantPosition(t, r, one, 8)
	for _, next := range []int64{3, 8} { // there and back
		if err := r.Rewind(t.Context(), one, next); err != nil {
			t.Errorf("Rewind = %v, want nil", err)
		}
		wantPosition(t, r, one, next)
	}
	if err := r.Rewind(t.Context(), source(2), 11); err != nil { // nobody has begun with it
		t.Errorf("Rewind = %v, want nil", err)
	}
	want := []model.Position{{Source: one, Next: 8}, {Source: other, Next: 1}, {Source: source(2), Next: 11}, {Source: anew, Next: 0}}
	got, err := r.Positions(t.Context(), "rating")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("Positions = %v (-want +got):\n%s", err, diff)
	}
	if got, err := r.Positions(t.Context(), "rätings"); err != nil || len(got) != 0 {
		t.Errorf("Positions of a group that has not begun = %v, %v, want none", got, err)
	}
}

// few are writes of a few users at a few records and times, so that most meet others.
func few(recordType string) *rapid.Generator[model.Write] {
	return rapid.Custom(func(t *rapid.T) model.Write {
		w := model.Write{
			Key: model.Key{
				Record: model.Record{Type: recordType, ID: rapid.SampledFrom([]string{"a", "A", `"b\\', []{}%`}).Draw(t, "record")},
				UserID: rapid.SampledFrom([]string{"u", `U\"`}).Draw(t, "user"),
			},
			OccurredAt: start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "at")) * time.Microsecond),
		}
		if w.Deleted = rapid.IntRange(0, 3).Draw(t, "deleted") == 0; !w.Deleted {
			w.Value = rapid.IntRange(model.MinValue, model.MaxValue).Draw(t, "value")
		}
		return w
	})
}

// The same writes as requests, as batches cut anywhere, and by the rules alone: the outcomes are the same one by one, and so
// are the rows and the aggregates at the end.
func batchIsOneByOne(t *testing.T, r Ingestion) {
	var run atomic.Int32
	rapid.Check(t, func(t *rapid.T) {
		n := run.Add(1)
		asked, batched, s := fmt.Sprint("asked", n), fmt.Sprint("batched", n), source(n)
		writes := rapid.SliceOfN(few(asked), 1, 24).Draw(t, "writes")
		begin(t, r, s, 0, 0)
		rules := map[model.Key]model.Row{}
		for next := 0; next < len(writes); {
			now := start.Add(time.Hour + time.Duration(next)*time.Second)
			part := writes[next:rapid.IntRange(next+1, len(writes)).Draw(t, "cut")]
			want, other := make([]model.Outcome, len(part)), slices.Clone(part)
			for i, w := range part {
				want[i] = applyRules(rules, w, now)
				other[i].Key.Record.Type = batched
				if result, err := r.Write(context.Background(), w, now); err != nil || result.Outcome != want[i] {
					t.Fatalf("Write(%v) = outcome %v, %v, want %v", w, result.Outcome, err, want[i])
				}
			}
			if diff := cmp.Diff(want, ingest(t, r, s, int64(next), other, now)); diff != "" {
				t.Fatalf("Ingest(%v): outcomes (-want +got):\n%s", other, diff)
			}
			next += len(part)
		}
		wantPosition(t, r, s, int64(len(writes)))
		wantTable(t, r, asked, rules)
		wantTable(t, r, batched, retyped(rules, batched))
	})
}

func applyRules(rows map[model.Key]model.Row, w model.Write, now time.Time) model.Outcome {
	var stored *model.Row
	if row, ok := rows[w.Key]; ok {
		stored = &row
	}
	result := model.Apply(stored, w, now)
	rows[w.Key] = result.Row
	return result.Outcome
}

func retyped(rows map[model.Key]model.Row, recordType string) map[model.Key]model.Row {
	other := make(map[model.Key]model.Row, len(rows))
	for key, row := range rows {
		key.Record.Type = recordType
		row.Key = key
		other[key] = row
	}
	return other
}

// wantTable wants the rows, and the aggregates that are theirs.
func wantTable(t require, r Ingestion, recordType string, want map[model.Key]model.Row) {
	t.Helper()
	if got := r.rows(t, recordType); !maps.Equal(want, got) { // before cmp, which takes seconds for thousands
		t.Errorf("rows of %s (-want +got):\n%s", recordType, cmp.Diff(want, got))
	}
	sums := map[string]model.Aggregate{}
	for key, row := range want {
		sums[key.Record.ID] = sums[key.Record.ID].Plus(model.Contribution(row.Write))
	}
	for id, sum := range sums {
		record := model.Record{Type: recordType, ID: id}
		if got, err := r.Aggregate(context.Background(), record); err != nil || got != sum {
			t.Errorf("Aggregate(%v) = %v, %v, want %v", record, got, err, sum)
		}
	}
}

// Two consumptions of the same writes, each in an order of its own with some of them again and in batches of its own, end in
// the same table: that of the last write under each key.
func anyBatches(t *testing.T, r Ingestion) {
	var run atomic.Int32
	rapid.Check(t, func(t *rapid.T) {
		recordType := fmt.Sprint("any", run.Add(1))
		writes := rapid.SliceOfN(few(recordType), 1, 24).Draw(t, "writes")
		want := map[model.Key]model.Row{}
		for _, w := range writes {
			applyRules(want, w, start)
		}
		for range 2 {
			s := source(run.Add(1))
			begin(t, r, s, 0, 0)
			again := append(rapid.Permutation(writes).Draw(t, "order"), rapid.SliceOfN(rapid.SampledFrom(writes), 0, 6).Draw(t, "again")...)
			for next := 0; next < len(again); {
				part := again[next:rapid.IntRange(next+1, len(again)).Draw(t, "cut")]
				ingest(t, r, s, int64(next), part, start)
				next += len(part)
			}
			wantTable(t, r, recordType, want)
		}
	})
}

// veryMany is more than any statement holds, with users who change their minds within it.
func veryMany(t *testing.T, r Ingestion) {
	const records, users = 2100, 2
	begin(t, r, source(0), 0, 0)
	var writes []model.Write
	for i := range records * users {
		record := model.Record{Type: "very many", ID: fmt.Sprint("tt", i%records)}
		key := model.Key{Record: record, UserID: fmt.Sprint("user", i/records)}
		writes = append(writes, model.Write{Key: key, Value: i%5 + 1, OccurredAt: start})
		if i%7 == 0 {
			writes = append(writes, model.Write{Key: key, Deleted: i%2 == 0, Value: i % 2, OccurredAt: start.Add(time.Second)})
		}
	}
	random := rand.New(rand.NewPCG(1, 7)) // the same order in each run
	random.Shuffle(len(writes), func(a, b int) { writes[a], writes[b] = writes[b], writes[a] })
	want := map[model.Key]model.Row{}
	outcomes := make([]model.Outcome, len(writes))
	for i, w := range writes {
		outcomes[i] = applyRules(want, w, start)
	}
	if got := ingest(t, r, source(0), 0, writes, start); !slices.Equal(outcomes, got) {
		t.Errorf("outcomes (-want +got):\n%s", cmp.Diff(outcomes, got))
	}
	wantTable(t, r, "very many", want)
}
