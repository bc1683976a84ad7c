package progress

import (
	"fmt"
	"time"

	"movieexample.com/fleet/controllers/fleetservice/signals"
)

const (
	// noticed is how long a partition may stay before no more is given to its revision; a batch takes less.
	noticed = 5 * time.Second
	// proven is how long it may stay before its revision is taken back.
	proven = 20 * time.Second
	// lately is how long ago stable must have moved at most: an outage that both suffer stops both.
	lately = 5 * time.Second
)

// Tracker remembers how far the pods of a rollout are. The zero value knows nothing; not for concurrent use.
type Tracker struct {
	at    time.Time
	marks map[key]mark
	// runs say by revision since when and until when it moved any of its partitions, without a pause.
	runs map[string]run
	// waits say by revision what its pods wait for.
	waits map[string]string
}

type run struct{ from, last time.Time }

// key is a partition as one pod reads it.
type key struct {
	uid       string
	partition int32
}

type mark struct {
	signals.Partition

	pod, revision string
	// since is when it moved last, or had no records; or when the pod was first seen with it.
	since time.Time
	// seen is when the pod's page was read last: nobody knows what has become of it since.
	seen time.Time
	// waits is what its pod waits for; able is true once it has ended an event well, so that it can reach what it needs.
	waits string
	able  bool
	// inherited is true while it stands where another pod left it stuck: then it is not this one's fault.
	inherited bool
}

// stood is for how long the partition was seen at its offset.
func (m mark) stood() time.Duration { return m.seen.Sub(m.since) }

// Add takes in a reading. A pod whose page cannot be read is neither seen to move nor to stay.
func (t *Tracker) Add(r signals.Reading) {
	marks, waits := map[key]mark{}, map[string]string{}
	for _, pod := range r.Pods {
		if pod.Err != "" {
			t.keep(pod.UID, marks)
			continue
		}
		if pod.Waits != "" {
			waits[pod.Revision] = pod.Waits
		}
		ended := pod.Totals[signals.Errors]
		for number, p := range pod.Partitions {
			k := key{pod.UID, number}
			marks[k] = t.next(k, mark{
				Partition: p, pod: pod.Name, revision: pod.Revision, since: r.At, seen: r.At,
				waits: pod.Waits, able: ended.Requests > ended.Bad,
			})
		}
	}
	t.marks, t.waits, t.at = marks, waits, r.At
}

func (t *Tracker) keep(uid string, marks map[key]mark) {
	for k, m := range t.marks {
		if k.uid == uid {
			marks[k] = m
		}
	}
}

// next is a partition's mark after what is known of it.
func (t *Tracker) next(k key, now mark) mark {
	before, known := t.marks[k]
	switch {
	case !known:
		now.inherited = t.leftStuck(k.partition, now)
	case now.Next > before.Next:
		t.note(now.revision, now.since)
	case now.Next == before.Next && before.Lag > 0 && now.Lag > 0:
		now.since, now.inherited = before.since, before.inherited
	}
	return now
}

func (t *Tracker) note(revision string, at time.Time) {
	if t.runs == nil {
		t.runs = map[string]run{}
	}
	r := t.runs[revision]
	if at.Sub(r.last) > lately {
		r.from = at
	}
	r.last = at
	t.runs[revision] = r
}

// leftStuck is true when another pod stood at the same offset of a partition for long.
func (t *Tracker) leftStuck(partition int32, now mark) bool {
	for k, m := range t.marks {
		if k.partition == partition && m.Next == now.Next && m.Lag > 0 && (m.inherited || now.since.Sub(m.since) >= noticed) {
			return true
		}
	}
	return false
}

// Judgement is what standing still says of a revision; empty where all its partitions move.
type Judgement struct {
	// Stuck proves that it hangs, Waiting is a reason to give it no more for now.
	Stuck, Waiting string
}

// Judge says whether the canary reads on. Where stable is beside it, it is only blamed for standing still while stable
// moves; alone, for standing still, but only after patience where it waits for what it could reach before.
func (t *Tracker) Judge(canary, stable string, alone bool, patience time.Duration) Judgement {
	worst, found := t.worst(canary)
	if !found {
		return Judgement{Waiting: t.waiting(canary, alone)}
	}
	stood := worst.stood()
	text := fmt.Sprintf("pod %s has records of partition %d and stays at offset %d since %s UTC", worst.pod, worst.partition, worst.Next, worst.since.UTC().Format(time.TimeOnly))
	beside := t.runs[stable]
	if beside.from.Before(worst.since) {
		beside.from = worst.since
	}
	switch {
	case stood < proven:
		return Judgement{Waiting: text}
	case alone && worst.waits != "" && worst.able && stood < patience:
		return Judgement{Waiting: fmt.Sprintf("%s, and says that %s away, which it has reached before: nobody is blamed until %s UTC",
			text, its(worst.waits), worst.since.Add(patience).UTC().Format(time.TimeOnly))}
	case alone && worst.waits != "":
		return Judgement{Stuck: fmt.Sprintf("%s, says that %s away, and nothing else can be compared with it", text, its(worst.waits))}
	case alone:
		return Judgement{Stuck: text + ", and nothing else can be compared with it"}
	case beside.last.Sub(beside.from) >= proven/2 && t.at.Sub(beside.last) <= lately:
		return Judgement{Stuck: text + ", while the stable revision reads on"}
	}
	return Judgement{Waiting: text + "; so does the stable revision, or it has no records: nobody is blamed"}
}

// waiting speaks of a canary that waits and has nothing beside it: what it ends meanwhile says nothing about it.
func (t *Tracker) waiting(canary string, alone bool) string {
	if what := t.waits[canary]; alone && what != "" {
		return "the canary says that " + its(what) + " away, or not long ago"
	}
	return ""
}

func its(what string) string {
	if what == signals.Broker {
		return "its brokers are"
	}
	return "its " + what + " is"
}

// stuck is a partition that does not move.
type stuck struct {
	mark

	partition int32
}

// worst is the partition of a revision that has records and stays for the longest time.
func (t *Tracker) worst(revision string) (worst stuck, found bool) {
	for k, m := range t.marks {
		if m.revision != revision || m.Lag == 0 || m.inherited || m.stood() < noticed {
			continue
		}
		earlier := m.since.Before(worst.since) || (m.since.Equal(worst.since) && k.partition < worst.partition)
		if !found || earlier {
			worst, found = stuck{m, k.partition}, true
		}
	}
	return worst, found
}
