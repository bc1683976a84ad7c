package verdict

import "testing"

// What a page of metrics and a damaged ConfigMap can hold: any counts, any bytes. Either is refused with an error or leaves
// numbers that can be decided on.
func FuzzObserve(f *testing.F) {
	f.Add([]byte(nil), int64(20), int64(3), int64(180), int64(1), int64(180), int64(0))
	f.Add([]byte(`{"looks":-1}`), int64(-1), int64(1<<62), int64(0), int64(0), int64(1), int64(2))
	r := begin(f, errorsOnly())
	observe(f, r, look(pod("s", 180, 1), pod("a", 20, 3), pod("b", 9, 0)))
	saved, err := r.Save()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(saved, int64(1_000_000), int64(100), int64(9_000_000), int64(900_000), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, saved []byte, nc, xc, ns, xs, nb, xb int64) {
		r, err := Resume(errorsOnly(), saved)
		if err != nil {
			r = begin(t, errorsOnly())
		}
		one := look(pod("s", ns, xs), pod("a", nc, xc), pod("c", xc, nc))
		one.Again = []Counts{{nb, xb}}
		for _, l := range []Look{one, look(pod("s", ns, xs), pod("a", nc, xc))} {
			if err := r.Observe(l); err != nil && err.Error() == "" {
				t.Errorf("Observe(%+v) refuses without saying why", l)
			}
		}
		checkNumbers(t, r)
	})
}
