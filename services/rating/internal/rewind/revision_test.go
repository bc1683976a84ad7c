package rewind

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"movieexample.com/fleet/services/rating/internal/model"
)

func at(minute int) time.Time {
	return time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Add(time.Duration(minute) * time.Minute)
}

func TestBegan(t *testing.T) {
	tenure := func(revision string, from int64, minute int) model.Tenure {
		return model.Tenure{Revision: revision, From: from, Since: at(minute)}
	}
	for name, test := range map[string]struct {
		list  []model.Tenure
		since time.Time
		want  int64
		none  bool
	}{
		"nobody has read it":           {none: true},
		"others have":                  {list: []model.Tenure{tenure("good", 0, 0)}, none: true},
		"it has":                       {list: []model.Tenure{tenure("good", 0, 0), tenure("bad", 100, 60), tenure("good", 150, 70)}, since: at(59), want: 100},
		"it came back to it":           {list: []model.Tenure{tenure("bad", 100, 60), tenure("good", 150, 62), tenure("bad", 170, 64)}, since: at(59), want: 100},
		"it was rewound while it read": {list: []model.Tenure{tenure("bad", 100, 60), tenure("good", 50, 62), tenure("bad", 70, 64)}, since: at(59), want: 70},
		"it is tried once more":        {list: []model.Tenure{tenure("bad", 100, 0), tenure("good", 150, 10), tenure("bad", 900, 60)}, since: at(59), want: 900},
		"all its trials":               {list: []model.Tenure{tenure("bad", 100, 0), tenure("good", 150, 10), tenure("bad", 900, 60)}, want: 100},
		"nobody read it between two trials": {
			list: []model.Tenure{tenure("bad", 100, 0), tenure("good", 900, 62)}, since: at(59), want: 100,
		},
		"only its earlier trial had it": {list: []model.Tenure{tenure("bad", 100, 0), tenure("good", 150, 10)}, since: at(59), none: true},
		"its consumers' clock is behind": {
			list: []model.Tenure{tenure("good", 0, 0), tenure("bad", 100, 56), tenure("good", 150, 57)}, since: at(60), want: 100,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, found := Trial{Revision: "bad", Since: test.since}.began(test.list)
			if got != test.want || found == test.none {
				t.Errorf("began = %d, %t, want %d, %t", got, found, test.want, !test.none)
			}
		})
	}
}

// Whoever begins with a partition whenever and wherever, a trial's begin is never after an offset that the revision read in it.
func TestBeganIsNeverTooLate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []model.Tenure
		lowest, tried := int64(-1), false
		trial := Trial{Revision: "bad", Since: at(600)}
		for minute := 0; minute < 1200; minute += rapid.IntRange(1, 90).Draw(t, "later") {
			revision, next := rapid.SampledFrom([]string{"good", "bad", "other"}).Draw(t, "revision"), rapid.Int64Range(0, 99).Draw(t, "next")
			skew := time.Duration(rapid.IntRange(-240, 240).Draw(t, "skew")) * time.Second
			list = noted(list, revision, next, at(minute).Add(skew))
			if revision == "bad" && minute >= 600 && (!tried || next < lowest) {
				lowest, tried = next, true
			}
		}
		if got, found := trial.began(list); tried && (!found || got > lowest) {
			t.Fatalf("began = %d, %t, want at most %d: %v", got, found, lowest, list)
		}
	})
}

// noted is what a store does.
func noted(list []model.Tenure, revision string, next int64, now time.Time) []model.Tenure {
	if last := len(list) - 1; last >= 0 && list[last].Revision == revision {
		list[last].From = min(list[last].From, next)
		return list
	}
	return append(list, model.Tenure{Revision: revision, From: next, Since: now})
}

func TestBack(t *testing.T) {
	for name, test := range map[string]struct {
		at, to, earliest int64
		want             Step
	}{
		"back":                        {at: 500, to: 100, want: Step{From: 500, To: 100}},
		"it is there":                 {at: 100, to: 100, want: Step{From: 100, To: 100}},
		"never forward":               {at: 50, to: 100, want: Step{From: 50, To: 50}},
		"as far as the topic goes":    {at: 500, to: 100, earliest: 300, want: Step{From: 500, To: 300, Removed: 200}},
		"the topic begins after both": {at: 200, to: 100, earliest: 300, want: Step{From: 200, To: 200, Removed: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, back(test.at, test.to, test.earliest)); diff != "" {
				t.Errorf("back(%d, %d, %d) (-want +got):\n%s", test.at, test.to, test.earliest, diff)
			}
		})
	}
}

func TestTold(t *testing.T) {
	var steps []Step
	for p := range int32(22) {
		steps = append(steps, Step{Source: model.Source{Partition: p}, To: int64(p)})
	}
	for n, want := range map[int]string{
		0: "no partition was past where it is to be",
		1: "partition 0 from 0 is read again",
		2: "partitions 0 from 0, 1 from 1 are read again",
		22: "22 partitions are read again: 0 from 0, 1 from 1, 2 from 2, 3 from 3, 4 from 4, 5 from 5, 6 from 6, 7 from 7, 8 from 8, 9 from 9, " +
			"10 from 10, 11 from 11, 12 from 12, 13 from 13, 14 from 14, 15 from 15, 16 from 16, 17 from 17, 18 from 18, 19 from 19 and so on",
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if got := Told(steps[:n]); got != want {
				t.Errorf("Told = %q, want %q", got, want)
			}
		})
	}
}
