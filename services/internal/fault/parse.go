//go:build faults

package fault

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// spec is what FLEET_FAULT says.
type spec struct {
	errorRate  float64       // share of calls that end with INTERNAL
	latency    time.Duration // added to every call
	hangRate   float64       // share of calls that answer only when the caller gives up
	notFound   bool          // every call ends with NOT_FOUND
	panicIn    string        // name of the method that panics
	crashAfter time.Duration // after so long the process ends
	neverReady bool          // readiness never holds
	cpu        float64       // processors kept busy
	eventRate  float64       // share of consumed events that break the consumer
	hangOn     []int32       // partitions whose events never end
}

// word is one fault: how it reads its value, and an example for messages.
type word struct {
	example string
	set     func(s *spec, value string) error
}

func words() map[string]word {
	return map[string]word{
		"error":      {"error=0.05", func(s *spec, v string) error { return number(&s.errorRate, v, 1) }},
		"latency":    {"latency=200ms", func(s *spec, v string) error { return duration(&s.latency, v) }},
		"hang":       {"hang=0.01", func(s *spec, v string) error { return number(&s.hangRate, v, 1) }},
		"notFound":   {"notFound", func(s *spec, v string) error { return flag(&s.notFound, v) }},
		"panic":      {"panic=GetMovieDetails", func(s *spec, v string) error { return name(&s.panicIn, v) }},
		"crashAfter": {"crashAfter=8s", func(s *spec, v string) error { return duration(&s.crashAfter, v) }},
		"neverReady": {"neverReady", func(s *spec, v string) error { return flag(&s.neverReady, v) }},
		"event":      {"event=0.1", func(s *spec, v string) error { return number(&s.eventRate, v, 1) }},
		"hangOn":     {"hangOn=3", func(s *spec, v string) error { return partition(&s.hangOn, v) }},
		"cpu":        {"cpu=0.5", func(s *spec, v string) error { return number(&s.cpu, v, 4) }},
	}
}

// parse reads a list such as error=0.05,latency=200ms. It reports all mistakes at once.
func parse(text string) (spec, error) {
	var s spec
	var errs []error
	if text == "" {
		return s, nil
	}
	known := words()
	for part := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		w, ok := known[key]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: unknown word %q; known are %s", Env, key, examples(known)))
			continue
		}
		if err := w.set(&s, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %q: %w; write for example %s", Env, part, err, w.example))
		}
	}
	return s, errors.Join(errs...)
}

func examples(known map[string]word) string {
	var list []string
	for _, w := range known {
		list = append(list, w.example)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func number(to *float64, text string, most float64) error {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= most) {
		return fmt.Errorf("not a number from 0 to %g", most)
	}
	*to = n
	return nil
}

func duration(to *time.Duration, text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("not a duration")
	}
	*to = d
	return nil
}

func flag(to *bool, text string) error {
	if text != "" {
		return errors.New("takes no value")
	}
	*to = true
	return nil
}

// partition adds one: the word may be said again.
func partition(to *[]int32, text string) error {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return errors.New("not the number of a partition")
	}
	*to = append(*to, int32(n))
	return nil
}

func name(to *string, text string) error {
	if text == "" {
		return errors.New("no method given")
	}
	*to = text
	return nil
}
