package verdict

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// A vector is an entry of testdata/vectors.json, computed apart from this code with 50 digits.
type vector struct {
	Kind, Name string
	Null, Tol  float64
	Atoms      []float64
	Counts     [4]int64
	Params     struct{ Weights []float64 }
	Every      int
	Looks      []vectorLook
	Want       json.RawMessage
}

type vectorLook struct {
	NC, XC, NS, XS int64
	NB             *int64
	XB             int64
	New, Total     bool
	Steady         *bool
	Gamma          float64
}

type vectorWant struct {
	Rollback float64
	Promote  []struct{ Weight, Relative, Absolute, LogE float64 }
}

func vectors(t *testing.T, kind string) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	var found []vector
	for _, v := range file.Vectors {
		if v.Kind == kind {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		t.Fatalf("no vectors of kind %q", kind)
	}
	return found
}

func near(got, want, tolerance float64) bool {
	return math.Abs(got-want) <= tolerance*math.Max(1, math.Abs(want))
}

func TestIncrements(t *testing.T) {
	for _, v := range vectors(t, "increment") {
		t.Run(v.Name, func(t *testing.T) {
			var want []float64
			if err := json.Unmarshal(v.Want, &want); err != nil {
				t.Fatal(err)
			}
			got := increments(Counts{v.Counts[0], v.Counts[1]}, Counts{v.Counts[2], v.Counts[3]}, v.Null, v.Atoms)
			for j := range want {
				if math.Abs(got[j]-want[j]) > v.Tol {
					t.Errorf("increments(%v, null %g, atom %g) = %.15g, want %.15g", v.Counts, v.Null, v.Atoms[j], got[j], want[j])
				}
			}
		})
	}
}

func TestRollbackAtoms(t *testing.T) {
	for _, c := range []struct {
		null float64
		want int
	}{{1, 19}, {1.5, 18}, {2, 17}, {3, 16}} {
		if got := len(rollbackAtoms(c.null)); got != c.want {
			t.Errorf("len(rollbackAtoms(%g)) = %d, want %d", c.null, got, c.want)
		}
	}
}
