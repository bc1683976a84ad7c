package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"movieexample.com/fleet/services/internal/app"
)

// readPassword reads one line. On a terminal it asks twice and shows nothing. A signal ends the wait; the reading then
// ends with the process.
func readPassword(ctx context.Context, streams app.Streams) (string, error) {
	file, ok := streams.In.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return interruptible(ctx, func() (string, error) { return firstLine(streams.In) })
	}
	shown, err := term.GetState(int(file.Fd()))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	defer func() { _ = term.Restore(int(file.Fd()), shown) }() // the terminal is gone
	return interruptible(ctx, func() (string, error) { return askTwice(int(file.Fd()), streams.Err) })
}

func askTwice(terminal int, prompt io.Writer) (string, error) {
	var answers [2]string
	for i, question := range []string{"Password: ", "Again: "} {
		_, _ = fmt.Fprint(prompt, question)
		text, err := term.ReadPassword(terminal)
		_, _ = fmt.Fprintln(prompt)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		answers[i] = string(text)
	}
	if answers[0] != answers[1] {
		return "", errors.New("the two passwords differ: nothing was changed")
	}
	return answers[0], nil
}

// firstLine is the text up to the first line break; there may be none.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"), nil
}

func interruptible(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() { text, err := read(); done <- result{text, err} }()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
