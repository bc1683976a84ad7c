package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"movieexample.com/fleet/services/movie/internal/model"
)

// mark is what the holder of the processor's lock with the index has found; index 0: nobody has found anything. Each
// holder writes a file of its own, so that one that is late cannot write over what a later one found, whenever it wakes.
type mark struct {
	model.Finding

	index uint64
}

func markPath(sum string, index uint64) string {
	return path.Join(directory(sum), fmt.Sprintf("mark-%d.json", index))
}

// markIndex is 0 for a name that is no mark's.
func markIndex(name string) uint64 {
	text, isMark := strings.CutPrefix(name, "mark-")
	text, isJSON := strings.CutSuffix(text, ".json")
	index, err := strconv.ParseUint(text, 10, 64)
	if !isMark || !isJSON || err != nil {
		return 0
	}
	return index
}

func (s *Store) marks(sum string) ([]uint64, error) {
	entries, err := s.list(directory(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var indexes []uint64
	for _, e := range entries {
		if index := markIndex(e.Name()); index > 0 {
			indexes = append(indexes, index)
		}
	}
	return indexes, err
}

// latest is the mark that counts.
func (s *Store) latest(sum string) (mark, error) {
	var m mark
	indexes, err := s.marks(sum)
	if err != nil {
		return m, err
	}
	for _, index := range indexes {
		m.index = max(m.index, index)
	}
	if m.index == 0 {
		return m, nil
	}
	data, err := s.root.ReadFile(markPath(sum, m.index))
	if errors.Is(err, fs.ErrNotExist) { // a higher one has come, and this one was removed
		return s.latest(sum)
	}
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(data, &m.Finding)
}

// Mark notes a finding of the lock's holder with the index. false: a later holder was faster, and nothing has changed.
func (s *Store) Mark(id string, index uint64, f model.Finding) (bool, error) {
	sum := hashOf(id)
	before, err := s.marks(sum)
	if err != nil {
		return false, err
	}
	for _, other := range before {
		if other > index {
			return false, nil
		}
	}
	data, err := json.Marshal(f)
	if err != nil {
		return false, err
	}
	if err := s.write(markPath(sum, index), data); err != nil {
		return false, err
	}
	var errs []error
	for _, other := range before {
		if other < index {
			errs = append(errs, s.remove(markPath(sum, other)))
		}
	}
	return true, errors.Join(errs...)
}

// heal forgets that the content before was damaged, and asks for the new one to be checked: a check of the old one may
// just have answered the first ticket.
func (s *Store) heal(sum, key string) error {
	m, err := s.latest(sum)
	if err != nil || !m.Damaged {
		return err
	}
	return errors.Join(s.remove(markPath(sum, m.index)), s.enqueue(sum, key+".again"))
}

// Inspect reads a content and compares it with its name.
func (s *Store) Inspect(ctx context.Context, id string) (model.Finding, error) {
	sum := hashOf(id)
	f, err := s.root.Open(contentPath(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return model.Finding{}, model.NoFile(id)
	}
	if err != nil {
		return model.Finding{}, err
	}
	defer func() { _ = f.Close() }() // it was only read
	h := sha256.New()
	head, err := io.ReadAll(io.TeeReader(io.LimitReader(f, 512), h)) // as much as decides about the type
	if err != nil {
		return model.Finding{}, err
	}
	rest, err := digest(ctx, h, f)
	if err != nil {
		return model.Finding{}, err
	}
	found := model.Finding{Size: int64(len(head)) + rest, Type: http.DetectContentType(head)}
	found.Damaged = hex.EncodeToString(h.Sum(nil)) != sum
	return found, nil
}
