package scaling

import (
	"maps"
	"math"
	"slices"
	"time"
)

const (
	// window is over how long rates are measured: consumers commit in batches, and a rebalance stops them for a moment.
	window = time.Minute
	// least is the shortest time that says something of a rate.
	least = 9 * time.Second
	// stuckAfter is how long a partition with records may stay before it is called stuck.
	stuckAfter = time.Minute
	// busy is for how long a consumer must have had records before it, at the rate seen, for that rate to be what it takes.
	busy = 2 * time.Second
)

// Partition is how far a group was with one partition.
type Partition struct {
	Number int32
	// Start is the offset of the first record that is there, End of the one that comes next, Next of the one that the group
	// takes next; 0 where it has taken none.
	Start, End, Next int64
}

func (p Partition) lag() int64 { return max(0, p.End-max(p.Start, p.Next)) }

// since is how many records the group took since an earlier look. What was removed before it was taken it did not take.
func (p Partition) since(before Partition) int64 {
	return max(0, p.Next-max(before.Next, p.Start))
}

// Meter measures rates from one look to the next. The zero value has seen nothing; not for concurrent use.
type Meter struct {
	looks []look
	// moved is when each partition was first seen where it is now.
	moved map[int32]place
	// takes is what consumers take; nil while that was not seen.
	takes Capacity
	// full is what those of the last looks took while all had records before them; 0 while that was not seen.
	full       float64
	lastCommit time.Time
}

type look struct {
	at         time.Time
	partitions map[int32]Partition
	consumers  int32
}

type place struct {
	next  int64
	since time.Time
}

// Add takes in a look at all partitions, while so many consumers had some. Another topic of the same name, or a group that
// was set back, begins a new measurement.
func (m *Meter) Add(at time.Time, partitions []Partition, consumers int32) {
	l := look{at: at, partitions: map[int32]Partition{}, consumers: consumers}
	for _, p := range partitions {
		l.partitions[p.Number] = p
	}
	if len(m.looks) > 0 && backwards(m.looks[len(m.looks)-1], l) {
		m.looks, m.moved = nil, nil
	}
	m.place(l)
	m.looks = append(m.looks, l)
	for len(m.looks) > 2 && at.Sub(m.looks[1].at) >= window {
		m.looks = slices.Delete(m.looks, 0, 1)
	}
	m.learn()
}

func backwards(before, after look) bool {
	for n, p := range after.partitions {
		if b, known := before.partitions[n]; known && (p.Next < b.Next || p.End < b.End) {
			return true
		}
	}
	return false
}

// place notes where each partition is, and since when.
func (m *Meter) place(l look) {
	places := make(map[int32]place, len(l.partitions))
	for n, p := range l.partitions {
		before, known := m.moved[n]
		switch {
		case !known || p.lag() == 0:
			places[n] = place{p.Next, l.at}
		case p.Next > before.next:
			places[n] = place{p.Next, l.at}
		default:
			places[n] = before
		}
		if known && p.Next > before.next {
			m.lastCommit = l.at
		}
	}
	m.moved = places
}

// learn measures what the consumers take, since their number last changed: the most that was seen up to now of them over any
// time in which all had records before them. A time without any, before a load came, says nothing of it, nor does one in
// which the database was away.
func (m *Meter) learn() {
	looks, still := m.steady(), m.standing(least)
	last, most, waiting := looks[len(looks)-1], 0.0, int64(math.MaxInt64)
	m.full = 0
	for _, first := range slices.Backward(looks) {
		waiting = min(waiting, lagOf(first, still)) // at any look from this one on
		_, consumed := rates(first, last, still)
		if last.at.Sub(first.at) < least {
			continue
		}
		most = max(most, consumed)
		if float64(waiting) >= consumed*busy.Seconds() {
			m.full = max(m.full, consumed)
		}
	}
	if m.full > 0 && last.consumers > 0 {
		if m.takes == nil {
			m.takes = Capacity{}
		}
		m.takes.full(last.consumers, m.full, last.at.Sub(looks[0].at) >= settle)
	}
	m.takes.atLeast(last.consumers, most)
}

// steady are the last looks at the same number of consumers.
func (m *Meter) steady() []look {
	from := len(m.looks) - 1
	for from > 0 && m.looks[from-1].consumers == m.looks[from].consumers {
		from--
	}
	return m.looks[from:]
}

// rates are records a second that came and that were consumed, but for some partitions.
func rates(first, last look, without []int32) (produced, consumed float64) {
	seconds := last.at.Sub(first.at).Seconds()
	for n, p := range last.partitions {
		if before, known := first.partitions[n]; known && seconds > 0 && !slices.Contains(without, n) {
			produced += float64(p.End-before.End) / seconds
			consumed += float64(p.since(before)) / seconds
		}
	}
	return produced, consumed
}

// standing are partitions that have records and have not moved for a time.
func (m *Meter) standing(d time.Duration) []int32 {
	last := m.looks[len(m.looks)-1]
	var list []int32
	for n, p := range last.partitions {
		if p.lag() > 0 && last.at.Sub(m.moved[n].since) >= d {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

func lagOf(l look, without []int32) int64 {
	sum := int64(0)
	for n, p := range l.partitions {
		if !slices.Contains(without, n) {
			sum += p.lag()
		}
	}
	return sum
}

// Rates are what the last minute shows.
type Rates struct {
	// Produced and Consumed are records a second of partitions that move; 0 until there are two looks.
	Produced, Consumed float64
	// Lag is how many records wait, Backlog the same of partitions that move.
	Lag, Backlog int64
	// Stuck are partitions that have records and do not move.
	Stuck []int32
	// Consumers are those that have partitions, Steady is for how long they were seen to be so many, up to a minute, and
	// PerConsumer is what each of them takes in a second; 0 while that was not seen.
	Consumers   int32
	Steady      time.Duration
	PerConsumer float64
	// Capacity is what any number of consumers takes; empty while that was not seen.
	Capacity Capacity
	// Full is what the consumers took in the last minute while all had records before them; 0 where that was not so.
	Full float64
	// LastCommit is when the group was last seen to move on; zero while it was not.
	LastCommit time.Time
}

// Rates says what the looks so far show.
func (m *Meter) Rates() Rates {
	r := Rates{LastCommit: m.lastCommit}
	if len(m.looks) == 0 {
		return r
	}
	first, last := m.looks[0], m.looks[len(m.looks)-1]
	r.Consumers, r.Steady, r.PerConsumer = last.consumers, last.at.Sub(m.steady()[0].at), m.takes.each(last.consumers)
	r.Capacity, r.Full = maps.Clone(m.takes), m.full
	r.Stuck = m.standing(stuckAfter)
	r.Lag, r.Backlog = lagOf(last, nil), lagOf(last, r.Stuck)
	r.Produced, r.Consumed = rates(first, last, r.Stuck)
	return r
}
