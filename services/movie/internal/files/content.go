package files

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/model"
)

const idPrefix = "sha256-"

// directory is a content's, by its SHA-256.
func directory(sum string) string { return path.Join(contents, sum[:2], sum) }

func contentPath(sum string) string { return path.Join(directory(sum), "content") }
func infoPath(sum string) string    { return path.Join(directory(sum), "info.json") }

// hashOf is the SHA-256 in a file's id, "" if it is no id.
func hashOf(id string) string {
	sum, ok := strings.CutPrefix(id, idPrefix)
	if !ok || len(sum) != 64 || strings.Trim(sum, "0123456789abcdef") != "" {
		return ""
	}
	return sum
}

// info is what a content's first sender said of it.
type info struct {
	Name       string    `json:"name"`
	CreateTime time.Time `json:"createTime"`
}

// finish makes the part a content. The record names it first: if the process ends at any line, the next try finds either
// the whole content or the whole part.
func (p *part) finish(sum string) (model.Receipt, error) {
	s := p.store
	receipt := model.Receipt{FileID: idPrefix + sum, SHA256: sum, Size: p.size}
	p.record.FileID = receipt.FileID
	f, err := s.File(receipt.FileID)
	switch {
	case err == nil && f.Size == p.size && f.State != model.Damaged:
		receipt.Existed = true
		return receipt, errors.Join(p.remember(), s.remove(partPath(p.key)))
	case err != nil && problem.KindOf(err) != problem.NotFound:
		return receipt, err
	}
	return receipt, errors.Join(p.publish(sum), s.sync(uploads))
}

func (p *part) publish(sum string) error {
	s := p.store
	if err := s.root.MkdirAll(directory(sum), 0o750); err != nil {
		return err
	}
	if err := errors.Join(p.file.Chmod(0o440), p.file.Sync(), s.describe(sum, p.record.Name), s.enqueue(sum, p.key), p.remember()); err != nil {
		return err
	}
	// Over what is there: another upload of the same content, which is the same, or a damaged one.
	err := s.root.Rename(partPath(p.key), contentPath(sum))
	if errors.Is(err, fs.ErrNotExist) && s.holds(sum, p.size) {
		err = nil // NFS repeats a request whose answer was lost, and the second finds it done
	}
	if err != nil {
		return err
	}
	return errors.Join(s.sync(directory(sum)), s.sync(path.Dir(directory(sum))), s.sync(contents), s.heal(sum, p.key))
}

func (s *Store) holds(sum string, size int64) bool {
	stat, err := s.root.Stat(contentPath(sum))
	return err == nil && stat.Size() == size
}

// describe notes the name, unless another was first.
func (s *Store) describe(sum, name string) error {
	if _, err := s.root.Stat(infoPath(sum)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := json.Marshal(info{Name: name, CreateTime: s.now().UTC()})
	if err != nil {
		return err
	}
	return s.write(infoPath(sum), data)
}

// File tells what is known of a content.
func (s *Store) File(id string) (model.File, error) {
	sum := hashOf(id)
	if sum == "" {
		return model.File{}, model.NoFile(id)
	}
	stat, err := s.root.Stat(contentPath(sum))
	if errors.Is(err, fs.ErrNotExist) {
		return model.File{}, model.NoFile(id)
	}
	if err != nil {
		return model.File{}, err
	}
	var i info
	data, err := s.root.ReadFile(infoPath(sum))
	if err == nil {
		err = json.Unmarshal(data, &i)
	}
	if err != nil {
		return model.File{}, err
	}
	f := model.File{ID: id, SHA256: sum, Size: stat.Size(), Name: i.Name, CreateTime: i.CreateTime}
	m, err := s.latest(sum)
	if err != nil || m.index == 0 {
		return f, err
	}
	f.State, f.Type = model.Ready, m.Type
	if m.Damaged {
		f.State, f.Type = model.Damaged, ""
	}
	return f, nil
}
