package verdict

import "testing"

func BenchmarkObserve(b *testing.B) {
	for _, c := range []struct {
		name string
		look Look
	}{
		{"200 requests", look(pod("s", 180, 1), pod("a", 10, 1), pod("b", 10, 0))},
		{"10 million requests, 1 million bad", look(pod("s", 9_000_000, 900_000), pod("a", 500_000, 50_000), pod("b", 500_000, 50_000))},
		{"the most", look(pod("s", maxRequests, maxRequests/2), pod("a", maxRequests/2, maxRequests/4), pod("b", maxRequests/2, maxRequests/4))},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := begin(b, errorsOnly())
			for b.Loop() {
				observe(b, r, c.look)
			}
		})
	}
}
