package scrape

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// filter keeps the lines of wanted families, so that the parser sees no more than is bounded and of use.
func (s *Scraper) filter(body io.Reader, want func(family string) bool) ([]byte, error) {
	var kept bytes.Buffer
	limited := &io.LimitedReader{R: body, N: s.limits.Bytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	series := 0
	for lines.Scan() {
		line := lines.Bytes()
		name, sample := nameOf(line)
		if name == "" || (!want(name) && !want(histogramOf(name))) {
			continue
		}
		if sample {
			series++
		}
		if series > s.limits.Series {
			return nil, fmt.Errorf("the page has more than %d series of what is counted", s.limits.Series)
		}
		kept.Write(line)
		kept.WriteByte('\n')
	}
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the page is longer than %d bytes", s.limits.Bytes)
	case errors.Is(lines.Err(), bufio.ErrTooLong):
		return nil, fmt.Errorf("the page has a line longer than %d bytes", maxLine)
	}
	return kept.Bytes(), lines.Err()
}

// nameOf is the metric that a line is about, and whether the line is a sample; no name where it is of no use.
func nameOf(line []byte) (name string, sample bool) {
	line = bytes.TrimLeft(line, " \t")
	if len(line) > 0 && line[0] == '#' {
		if words := bytes.Fields(line[1:]); len(words) == 3 && string(words[0]) == "TYPE" {
			return string(words[1]), false
		}
		return "", false
	}
	end := bytes.IndexFunc(line, outsideOfNames)
	if end <= 0 {
		return "", false
	}
	return string(line[:end]), true
}

// outsideOfNames is true of what ends a metric's name. The parser takes a value that follows without a space.
func outsideOfNames(r rune) bool {
	return r != '_' && r != ':' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

// histogramOf is the histogram that a sample belongs to.
func histogramOf(name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if family, found := strings.CutSuffix(name, suffix); found {
			return family
		}
	}
	return name
}

// parse has the kept lines read by Prometheus' own parser. It has panicked on malformed pages before
// (https://github.com/prometheus/common/pull/922), and a page must not end the operator.
func parse(kept []byte) (families map[string]*dto.MetricFamily, err error) {
	defer func() {
		if p := recover(); p != nil {
			families, err = nil, fmt.Errorf("the page is not in Prometheus' text format: the parser gave up: %v", p)
		}
	}()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err = parser.TextToMetricFamilies(bytes.NewReader(kept))
	if err != nil {
		return nil, fmt.Errorf("the page is not in Prometheus' text format: %s", printable(err))
	}
	return families, nil
}
