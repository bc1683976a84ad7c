package scaling

// fade is by how much an old measure counts for each new one: data and databases change.
const fade = 0.9

// Capacity is what consumers take together, in records a second, by how many there are: the most that was seen while all had
// records before them. It grows with their number until something else is the limit, a database or one partition.
type Capacity map[int32]float64

// of is what n consumers take, as far as one can tell from other numbers of them: no less than fewer do, no less for each than
// more do, and beyond all that were seen as much for each.
func (c Capacity) of(n int32) float64 {
	atLeast, seen, beyond := 0.0, int32(0), true
	for m, rate := range c {
		switch {
		case m == n:
			return rate
		case m > n:
			atLeast, beyond = max(atLeast, rate*float64(n)/float64(m)), false
		default:
			atLeast, seen = max(atLeast, rate), max(seen, m)
		}
	}
	if beyond && seen > 0 {
		atLeast = max(atLeast, c[seen]*float64(n)/float64(seen))
	}
	return atLeast
}

// each is what one of n consumers takes.
func (c Capacity) each(n int32) float64 {
	n = max(n, 1)
	return c.of(n) / float64(n)
}

// need is the least number of consumers that take the rate, or most if none up to it do.
func (c Capacity) need(rate float64, most int32) int32 {
	for n := int32(1); n < most; n++ {
		if c.of(n) >= rate {
			return n
		}
	}
	return most
}

// full takes in what n consumers took while all had records before them. Once they had time to settle, fewer take no more.
func (c Capacity) full(n int32, rate float64, settled bool) {
	c[n] = max(rate, fade*c[n])
	for m := range c {
		if m < n && settled {
			c[m] = min(c[m], c[n])
		}
	}
	c.atLeast(n, c[n])
}

// atLeast takes in what n consumers took while there may have been too little for them.
func (c Capacity) atLeast(n int32, rate float64) {
	for m := range c {
		if m >= n {
			c[m] = max(c[m], rate)
		}
	}
}
