package verdict

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var drawn = flag.Bool("update", false, "draw docs/pictures/verdict-*.svg anew (make pictures)")

// A told release is a simulated one with what its looks showed.
type told struct {
	file, title string
	// from and to bound what is shaded, in seconds; trouble says what it is.
	from, to int
	trouble  string
	points   []point
	end      string
}

// point is what one look showed.
type point struct {
	// weight is that of the look's requests, next the one asked for.
	weight, next float64
	// against is log10 E of rollback, toward log10 E for next.
	against, toward float64
}

// tell is the release of median length among 101.
func (p told) tell(w world) told {
	var all []told
	for seed := range uint64(101) {
		all = append(all, p.once(rand.New(rand.NewPCG(1, seed)), w))
	}
	slices.SortStableFunc(all, func(a, b told) int { return len(a.points) - len(b.points) })
	return all[len(all)/2]
}

// once goes through the steps from weight 0.01 on, until the canary is taken back or has all requests.
func (p told) once(rng *rand.Rand, w world) told {
	r := w.begin()
	weights := append([]float64{0.01}, r.State().Params.Weights...)
	step, since, failed := 0, 0, int64(0)
	for k := range halfHour {
		w.weight = weights[step]
		l := w.look(rng, k)
		l.NewWeight = since == 0
		since++
		failed += sum(of(l.Canary, 0)).Bad
		next := weights[step+1]
		if err := r.Observe(l); err != nil {
			panic(err)
		}
		d := must(r.Decide(Question{Weight: next, Early: since*lookSeconds < 10}))
		p.points = append(p.points, point{weights[step], next, r.LogE() / math.Ln10, r.Promotion(0, step).LogE() / math.Ln10})
		if d.Action == Rollback {
			p.end = fmt.Sprintf("taken back after %d s and %d failed requests", lookSeconds*(k+1), failed)
			return p
		}
		if d.Action != Promote {
			continue
		}
		step, since = step+1, 0
		if weights[step] == 1 {
			p.end = fmt.Sprintf("all requests after %d s", lookSeconds*(k+1))
			return p
		}
	}
	p.end = "no verdict yet"
	return p
}

func stories() []told {
	outage := ordinary(0.001, 0)
	outage.stable = func(k int) float64 {
		if k >= 12 && k < 42 {
			return 0.05
		}
		return 0.001
	}
	outage.canary = func(k, _ int) float64 { return outage.stable(k) }
	return []told{
		told{
			file:  "verdict-good.svg",
			title: "A good release: 0.1 % of the answers of either revision are bad, at 100 requests a second",
		}.tell(ordinary(0.001, 0.001)),
		told{
			file:  "verdict-bad.svg",
			title: "A bad release: 5 % of the new revision's answers are bad, 0.1 % of the old one's",
		}.tell(ordinary(0.001, 0.05)),
		told{
			file: "verdict-outage.svg", from: 24, to: 84, trouble: "either revision: 5 % bad",
			title: "A good release in a shared outage: from 24 s on 5 % of the answers of either revision are bad",
		}.tell(outage),
	}
}

func TestPictures(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("another processor rounds otherwise")
	}
	for _, s := range stories() {
		t.Run(s.file, func(t *testing.T) {
			file, want := "../../../docs/pictures/"+s.file, s.draw()
			if *drawn {
				if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("%s does not show what the code does: make pictures", file)
			}
		})
	}
}

const (
	left, right, panelHeight = 70.0, 930.0, 150.0
	pictureWidth             = 960
	pictureHeight            = 640
)

// x is where so many seconds are.
func (p told) x(seconds float64) float64 {
	return left + (right-left)*seconds/float64(lookSeconds*len(p.points)+4)
}

// A panel maps values between low and high to the height of one of the picture's parts.
type panel struct {
	top, low, high float64
	last           bool
}

func (a panel) y(v float64) float64 {
	v = math.Min(math.Max(v, a.low), a.high)
	return a.top + panelHeight*(a.high-v)/(a.high-a.low)
}

func (p told) draw() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13">
  <title>%s: %s</title>
  <style>
    text{fill:#334155}.b{font-weight:600;font-size:16px}.h{font-weight:600}.s{font-size:12px;fill:#475569}
    .grid{stroke:#e2e8f0;stroke-width:1}.axis{stroke:#64748b;stroke-width:1}
    .against{stroke:#b91c1c}.toward{stroke:#15803d}.weight{stroke:#0369a1}
    .line{stroke-width:2.5;fill:none;stroke-linejoin:round}.bound{stroke-width:1.5;stroke-dasharray:6 4}
    .red{fill:#b91c1c}.green{fill:#15803d}.blue{fill:#0369a1}
  </style>
  <rect width="%d" height="%d" fill="#ffffff" rx="8" stroke="#cbd5e1"/>
  <text class="b" x="24" y="28">%s</text>
  <text class="h blue" x="24" y="50">%s</text>
`, pictureWidth, pictureHeight, p.title, p.end, pictureWidth, pictureHeight, p.title, p.end)
	p.shade(&b)
	against, toward, weight := panel{88, -2, 3, false}, panel{276, -2, 4, false}, panel{464, 0, 100, true}
	p.grid(&b, against, "Evidence against the new revision", []float64{-2, -1, 0, 1, 2, 3}, power)
	p.grid(&b, toward, "Evidence for the next weight", []float64{-2, 0, 2, 4}, power)
	p.grid(&b, weight, "Share of requests at the new revision", []float64{0, 50, 100}, func(v float64) string { return fmt.Sprintf("%g %%", v) })
	p.bound(&b, against, 2, "against", "red", "100: taken back")
	p.bound(&b, against, 1, "against", "red", "10: no more weight")
	p.bound(&b, toward, math.Log10(20), "toward", "green", "20: next weight")
	p.evidence(&b, against, toward)
	p.weights(&b, weight)
	b.WriteString("</svg>\n")
	return b.String()
}

func power(v float64) string {
	if v < 0 {
		return fmt.Sprintf("%g", math.Pow(10, v))
	}
	return fmt.Sprintf("%.0f", math.Pow(10, v))
}

func (p told) shade(b *strings.Builder) {
	if p.trouble == "" {
		return
	}
	from, to := p.x(float64(p.from)), math.Min(p.x(float64(p.to)), right)
	fmt.Fprintf(b, `  <rect x="%.1f" y="60" width="%.1f" height="554" fill="#fef3c7"/>
  <text class="s" x="%.1f" y="76" text-anchor="middle">%s</text>
`, from, to-from, (from+to)/2, p.trouble)
}

// grid draws a panel's lines and labels; the last panel's seconds serve all.
func (p told) grid(b *strings.Builder, a panel, title string, values []float64, label func(float64) string) {
	fmt.Fprintf(b, "  <text class=\"h\" x=\"24\" y=\"%.1f\">%s</text>\n", a.top-14, title)
	for _, v := range values {
		fmt.Fprintf(b, "  <path class=\"grid\" d=\"M%g %.1fH%g\"/><text class=\"s\" x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
			left, a.y(v), right, left-8, a.y(v)+4, label(v))
	}
	fmt.Fprintf(b, "  <path class=\"axis\" d=\"M%g %.1fH%g\"/>\n", left, a.top+panelHeight, right)
	for s := 0; p.x(float64(s)) < right; s += 10 * (1 + len(p.points)/60) {
		fmt.Fprintf(b, "  <path class=\"grid\" d=\"M%.1f %gV%g\"/>\n", p.x(float64(s)), a.top, a.top+panelHeight)
		if a.last {
			fmt.Fprintf(b, "  <text class=\"s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%d s</text>\n", p.x(float64(s)), a.top+panelHeight+15, s)
		}
	}
}

func (p told) bound(b *strings.Builder, a panel, v float64, stroke, fill, text string) {
	fmt.Fprintf(b, "  <path class=\"bound %s\" d=\"M%g %.1fH%g\"/><text class=\"s %s\" x=\"%g\" y=\"%.1f\">%s</text>\n",
		stroke, left, a.y(v), right, fill, left+6, a.y(v)-5, text)
}

// evidence draws both kinds: against the canary from E = 1 on; for each next weight in a line of its own.
func (p told) evidence(b *strings.Builder, against, toward panel) {
	line := fmt.Sprintf("M%.1f %.1f", p.x(0), against.y(0))
	for k, at := range p.points {
		line += fmt.Sprintf("L%.1f %.1f", p.x(float64(lookSeconds*(k+1))), against.y(at.against))
	}
	fmt.Fprintf(b, "  <path class=\"line against\" d=\"%s\"/>\n", line)
	last := p.points[len(p.points)-1]
	fmt.Fprintf(b, "  <circle class=\"red\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", p.x(float64(lookSeconds*len(p.points))), against.y(last.against))
	for k := 0; k < len(p.points); {
		first, line := k, "M"
		for ; k < len(p.points) && p.points[k].next == p.points[first].next; k++ {
			line += fmt.Sprintf("%.1f %.1fL", p.x(float64(lookSeconds*(k+1))), toward.y(p.points[k].toward))
		}
		fmt.Fprintf(b, "  <path class=\"line toward\" d=\"%s\"/>\n", strings.TrimSuffix(line, "L"))
		end, below := p.points[k-1], -6.0
		if k-first > 1 && end.toward < p.points[k-2].toward {
			below = 16
		}
		fmt.Fprintf(b, "  <circle class=\"green\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/><text class=\"s green\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">for %g %%</text>\n",
			p.x(float64(lookSeconds*k)), toward.y(end.toward), p.x(float64(lookSeconds*k))-7, toward.y(end.toward)+below, 100*end.next)
	}
}

// weights draws the steps, and what came of them.
func (p told) weights(b *strings.Builder, a panel) {
	line := fmt.Sprintf("M%.1f %.1f", p.x(0), a.y(0))
	labels, weight := "", 0.0
	step := func(seconds, to float64) {
		line += fmt.Sprintf("H%.1fV%.1f", p.x(seconds), a.y(100*to))
		if to > weight {
			labels += fmt.Sprintf("  <text class=\"s blue\" x=\"%.1f\" y=\"%.1f\">%g %%</text>\n", p.x(seconds)+5, a.y(100*to)-6, 100*to)
		}
		weight = to
	}
	for k, at := range p.points {
		if at.weight != weight {
			step(float64(lookSeconds*k), at.weight)
		}
	}
	seconds := float64(lookSeconds * len(p.points))
	if strings.HasPrefix(p.end, "taken back") {
		step(seconds, 0)
	} else {
		step(seconds, 1)
	}
	line += fmt.Sprintf("H%g", right)
	fmt.Fprintf(b, "  <path class=\"line weight\" d=\"%s\"/>\n%s", line, labels)
}
