package producer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode"
)

// maxLine bounds one event: a file without line breaks must not fill the memory.
const maxLine = 1 << 20

// read calls each with every event of the input, an array in JSON or one event a line, and the line on which it begins.
// However long the input is, it holds one event of it in memory.
func read(input io.Reader, each func(line int, text []byte) error) error {
	in := &counter{in: input}
	buffered := bufio.NewReaderSize(in, 64<<10)
	first, err := firstLetter(buffered)
	if errors.Is(err, io.EOF) {
		return errors.New("the input is empty: it wants events as an array in JSON, or one a line")
	}
	if err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	if first == '[' {
		return array(buffered, in, each)
	}
	return lines(buffered, each)
}

// firstLetter looks at the first byte that is no space, and leaves it there. It looks no further than the buffer.
func firstLetter(r *bufio.Reader) (byte, error) {
	for n := 1; ; n++ {
		text, err := r.Peek(n)
		if err != nil {
			return 0, err
		}
		if last := text[n-1]; !unicode.IsSpace(rune(last)) {
			return last, nil
		}
	}
}

func lines(r *bufio.Reader, each func(line int, text []byte) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxLine)
	n := 0
	for scanner.Scan() {
		n++
		if text := bytes.TrimSpace(scanner.Bytes()); len(text) > 0 {
			if err := each(n, text); err != nil {
				return err
			}
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes: no event is", n+1, maxLine)
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	return nil
}

func array(r io.Reader, in *counter, each func(line int, text []byte) error) error {
	decoder := json.NewDecoder(r)
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("read the input: %w", err)
	}
	for decoder.More() {
		var text json.RawMessage
		if err := decoder.Decode(&text); err != nil {
			return fmt.Errorf("the array breaks off or is no JSON after line %d: %w", in.line(decoder.InputOffset()), err)
		}
		if err := each(in.line(decoder.InputOffset()-int64(len(text))), text); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("the array breaks off or is no JSON after line %d: %w", in.line(decoder.InputOffset()), err)
	}
	return nil
}

// counter notes where lines end in what was read and not yet asked for.
type counter struct {
	in     io.Reader
	offset int64
	ends   []int64
	passed int // lines that end before the last offset that was asked for
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.offset+int64(i))
		}
	}
	c.offset += int64(n)
	return n, err
}

// line is the number of the line at this offset; offsets must not fall.
func (c *counter) line(offset int64) int {
	n := 0
	for n < len(c.ends) && c.ends[n] < offset {
		n++
	}
	c.ends = c.ends[n:]
	c.passed += n
	return c.passed + 1
}
