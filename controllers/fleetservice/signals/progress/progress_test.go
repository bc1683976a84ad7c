package progress_test

import (
	"strings"
	"testing"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
	"movieexample.com/fleet/controllers/fleetservice/signals/progress"
)

// scene is a canary and a stable pod, each with one partition, at a second.
type scene struct {
	// canary and stable are their next offsets, lag what the canary has before it.
	canary, stable, lag int64
	// canaryReads is the partition of the canary; default 0.
	canaryReads int32
	unread      bool
	// waits is what the canary waits for, ended how many events it has ended well.
	waits string
	ended int64
}

func play(scenes int, at func(second int) scene) *progress.Tracker {
	t := &progress.Tracker{}
	for i := range scenes {
		s := at(i)
		canary := signals.PodReading{UID: "c", Name: "pod-c", Revision: "b2", Partitions: map[int32]signals.Partition{s.canaryReads: {Next: s.canary, Lag: s.lag}}}
		canary.Waits, canary.Totals = s.waits, map[string]signals.Total{signals.Errors: {Requests: s.ended + 7, Bad: 7}}
		if s.unread {
			canary = signals.PodReading{UID: "c", Name: "pod-c", Revision: "b2", Err: "connection refused"}
		}
		t.Add(signals.Reading{At: time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC), Pods: []signals.PodReading{canary,
			{UID: "s", Name: "pod-s", Revision: "a1", Partitions: map[int32]signals.Partition{1: {Next: s.stable, Lag: 5}}},
		}})
	}
	return t
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		seconds        int
		at             func(i int) scene
		alone          bool
		stuck, waiting string
	}{
		"both move":                    {60, func(i int) scene { return scene{canary: int64(i), stable: int64(i), lag: 9} }, false, "", ""},
		"no records":                   {60, func(i int) scene { return scene{stable: int64(i)} }, false, "", ""},
		"for a moment":                 {5, func(i int) scene { return scene{stable: int64(i), lag: 9} }, false, "", ""},
		"for some seconds":             {12, func(i int) scene { return scene{stable: int64(i), lag: 9} }, false, "", "pod pod-c has records of partition 0 and stays at offset 0 since 00:00:00 UTC"},
		"while stable moves":           {21, func(i int) scene { return scene{stable: int64(i), lag: 9} }, false, "while the stable revision reads on", ""},
		"both stand":                   {60, func(int) scene { return scene{lag: 9} }, false, "", "nobody is blamed"},
		"nothing beside it":            {21, func(int) scene { return scene{lag: 9} }, true, "nothing else can be compared with it", ""},
		"an outage, nothing beside it": {59, func(int) scene { return scene{lag: 9, waits: signals.Database, ended: 3} }, true, "", "its database is away, which it has reached before: nobody is blamed until 00:01:00 UTC"},
		"it never ends":                {62, func(int) scene { return scene{lag: 9, waits: signals.Database, ended: 3} }, true, "says that its database is away, and nothing else", ""},
		"it has reached nothing":       {21, func(int) scene { return scene{lag: 9, waits: signals.Broker} }, true, "says that its brokers are away, and nothing else", ""},
		"it has not waited long":       {3, func(int) scene { return scene{lag: 9, waits: signals.Broker} }, true, "", "its brokers are away, or not long ago"},
		"an outage, but stable moves": {21, func(i int) scene {
			return scene{stable: int64(i), lag: 9, waits: signals.Database, ended: 3}
		}, false, "while the stable revision reads on", ""},
		"it waits beside stable, and moves": {60, func(i int) scene {
			return scene{canary: int64(i), stable: int64(i), lag: 9, waits: signals.Database, ended: 3}
		}, false, "", ""},
		"stable is back first": {60, func(i int) scene { return scene{stable: max(0, int64(i)-55), lag: 9} }, false, "", "nobody is blamed"},
		"moves at last": {60, func(i int) scene {
			return scene{canary: max(0, int64(i)-57), stable: int64(i), lag: 9}
		}, false, "", ""},
		"nobody sees whether it moves": {60, func(i int) scene { return scene{stable: int64(i), lag: 9, unread: i > 3} }, false, "", ""},
		"it stood before that":         {60, func(i int) scene { return scene{stable: int64(i), lag: 9, unread: i > 25} }, false, "while the stable revision reads on", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := play(c.seconds, c.at).Judge("b2", "a1", c.alone, time.Minute)
			if (c.stuck == "") != (got.Stuck == "") || !strings.Contains(got.Stuck, c.stuck) {
				t.Errorf("Stuck = %q, want %q in it", got.Stuck, c.stuck)
			}
			if (c.waiting == "") != (got.Waiting == "") || !strings.Contains(got.Waiting, c.waiting) {
				t.Errorf("Waiting = %q, want %q in it", got.Waiting, c.waiting)
			}
		})
	}
}

// TestInherited: a partition that stood still already with another pod is not the canary's fault, until it has moved.
func TestInherited(t *testing.T) {
	reading := func(i int, uid, revision string, next int64) signals.Reading {
		return signals.Reading{At: time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC), Pods: []signals.PodReading{
			{UID: uid, Name: uid, Revision: revision, Partitions: map[int32]signals.Partition{7: {Next: next, Lag: 3}}},
			{UID: "other", Name: "other", Revision: "a1", Partitions: map[int32]signals.Partition{1: {Next: int64(i), Lag: 3}}},
		}}
	}
	tracker := &progress.Tracker{}
	for i := range 10 {
		tracker.Add(reading(i, "s", "a1", 4))
	}
	for i := 10; i < 50; i++ {
		tracker.Add(reading(i, "c", "b2", 4))
	}
	if got := tracker.Judge("b2", "a1", false, time.Minute); got != (progress.Judgement{}) {
		t.Errorf("Judge of a partition that was stuck before = %+v, want nothing", got)
	}
	for i := 50; i < 90; i++ {
		tracker.Add(reading(i, "c", "b2", 5))
	}
	if got := tracker.Judge("b2", "a1", false, time.Minute); got.Stuck == "" {
		t.Error("Judge of a partition that moved and stands again says nothing")
	}
}
