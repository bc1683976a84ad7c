package scaling

import (
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
	// fade is by how much an old measure of a consumer counts for each new one: data and databases change.
	fade = 0.9
)

// Partition is how far a group was with one partition.
type Partition struct {
	Number int32
	// End is the offset of the record that comes next, Next that of the one that the group takes next.
	End, Next int64
}

func (p Partition) lag() int64 { return max(0, p.End-p.Next) }

// Meter measures rates from one look to the next. The zero value has seen nothing; not for concurrent use.
type Meter struct {
	looks []look
	// moved is when each partition was first seen where it is now.
	moved map[int32]place
	// each is what one consumer takes; 0 while that was not seen.
	each       float64
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

// learn measures what one consumer takes, since the number of consumers last changed, where all of them had records before
// them the whole time.
func (m *Meter) learn() {
	looks := m.steady()
	first, last := looks[0], looks[len(looks)-1]
	if last.consumers == 0 || last.at.Sub(first.at) < least {
		return
	}
	still := m.standing(least)
	_, consumed := rates(first, last, still)
	if consumed == 0 {
		return
	}
	for _, l := range looks {
		if float64(lagOf(l, still)) < consumed*busy.Seconds() {
			return
		}
	}
	m.each = max(consumed/float64(last.consumers), fade*m.each)
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
			consumed += float64(p.Next-before.Next) / seconds
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
	// PerConsumer is what one consumer takes in a second; 0 while that was not seen.
	PerConsumer float64
	// LastCommit is when the group was last seen to move on; zero while it was not.
	LastCommit time.Time
}

// Rates says what the looks so far show.
func (m *Meter) Rates() Rates {
	r := Rates{PerConsumer: m.each, LastCommit: m.lastCommit}
	if len(m.looks) == 0 {
		return r
	}
	first, last := m.looks[0], m.looks[len(m.looks)-1]
	r.Stuck = m.standing(stuckAfter)
	r.Lag, r.Backlog = lagOf(last, nil), lagOf(last, r.Stuck)
	r.Produced, r.Consumed = rates(first, last, r.Stuck)
	return r
}
