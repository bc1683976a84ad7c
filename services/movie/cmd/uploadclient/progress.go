package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/term"

	"movieexample.com/fleet/services/movie/internal/send"
)

const showEvery = 200 * time.Millisecond

// progress is one line on a terminal that is written over and over, and nothing elsewhere but what breaks.
type progress struct {
	w        io.Writer
	terminal bool
	size     int64

	began, shown time.Time
	first        int64 // where this run began
	line         bool  // the cursor stands behind a line of progress
}

func newProgress(w io.Writer, size int64) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, size: size, terminal: ok && term.IsTerminal(int(f.Fd())), first: -1}
}

func (p *progress) show(sent int64) {
	now := time.Now()
	if p.first < 0 {
		p.first, p.began = sent, now
	}
	if !p.terminal || sent < p.size && now.Sub(p.shown) < showEvery {
		return
	}
	p.shown, p.line = now, true
	_, _ = fmt.Fprintf(p.w, "\r\033[K%s", p.text(sent, now))
}

func (p *progress) text(sent int64, now time.Time) string {
	text := fmt.Sprintf("%3d %%  %s of %s", 100*sent/max(p.size, 1), humanize.IBytes(uint64(sent)), humanize.IBytes(uint64(p.size)))
	if seconds := now.Sub(p.began).Seconds(); seconds > 0 && sent > p.first {
		text += fmt.Sprintf("  %s/s", humanize.IBytes(uint64(float64(sent-p.first)/seconds)))
	}
	return text
}

func (p *progress) broken(err error, wait time.Duration) {
	p.end()
	_, _ = fmt.Fprintf(p.w, "The upload broke and goes on in %s: %s\n", wait.Round(time.Millisecond), send.Reason(err))
}

// end leaves the line of progress as it is.
func (p *progress) end() {
	if p.line {
		_, _ = fmt.Fprintln(p.w)
		p.line = false
	}
}
