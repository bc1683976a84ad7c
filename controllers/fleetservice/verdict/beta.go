package verdict

import "math"

// certainty bounds the log odds that upper searches: beyond it a rate is 0 or 1 to the last digit.
const certainty = 40

// upper is the logarithm of the odds of the Clopper–Pearson upper bound: the rate under which so few bad requests, or fewer,
// have probability doubt. The true rate lies above it with probability doubt at most. +certainty where nothing is known.
func (c Counts) upper(doubt float64) float64 {
	low, high := -float64(certainty), float64(certainty)
	if c.Bad >= c.Requests {
		return high
	}
	for range 100 {
		mid := (low + high) / 2
		if c.atMost(mid) > doubt {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// atMost is the probability of Bad bad requests or fewer among Requests, with Bad < Requests, at these log odds of one.
func (c Counts) atMost(logOdds float64) float64 {
	x, n := float64(c.Bad), float64(c.Requests)
	return incompleteBeta(n-x, x+1, -logOdds)
}

// incompleteBeta is I_p(a, b), the regularised incomplete beta function, at the p with these log odds. Odds keep rates near
// 0 and near 1 exact.
func incompleteBeta(a, b, logOdds float64) float64 {
	p := expit(logOdds)
	if p > (a+1)/(a+b+2) {
		return 1 - incompleteBeta(b, a, -logOdds)
	}
	logFront := logGamma(a+b) - logGamma(a+1) - logGamma(b) - a*softplus(-logOdds) - b*softplus(logOdds)
	return math.Exp(logFront) * betaFraction(a, b, p)
}

// betaFraction is the continued fraction of I_p(a, b), evaluated from the front by Lentz's method. It needs about √max(a, b)
// terms.
func betaFraction(a, b, p float64) float64 {
	const tiny = 1e-300
	c, d := 1.0, 1/nonzero(1-(a+b)*p/(a+1), tiny)
	value := d
	for m := 1.0; m < 1e7; m++ {
		even := m * (b - m) * p / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / nonzero(1+even*d, tiny)
		c = nonzero(1+even/c, tiny)
		value *= c * d
		odd := -(a + m) * (a + b + m) * p / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / nonzero(1+odd*d, tiny)
		c = nonzero(1+odd/c, tiny)
		value *= c * d
		if math.Abs(c*d-1) < 1e-15 {
			break
		}
	}
	return value
}

func nonzero(v, tiny float64) float64 {
	if math.Abs(v) < tiny {
		return tiny
	}
	return v
}

// softplus is log(1+exp(v)): with log odds v, minus the logarithm of the chance of a good request.
func softplus(v float64) float64 {
	if v > certainty {
		return v
	}
	return math.Log1p(math.Exp(v))
}
