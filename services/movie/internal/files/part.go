package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/model"
)

// record is what is known of an upload beside its bytes.
type record struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"` // what its sender announced
	FileID string `json:"fileId,omitempty"` // what it has become, or is about to
}

// part is an upload that this process alone receives.
type part struct {
	store  *Store
	key    string
	record record
	file   *os.File
	size   int64 // the bytes that are there, and in the hash
	hash   hash.Hash
}

// uploadKey stands for an upload in names of files, where ids that differ in upper and lower case only must be two.
func uploadKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

func partPath(key string) string   { return path.Join(uploads, key+".part") }
func recordPath(key string) string { return path.Join(uploads, key+".json") }

// open locks an upload. ABORTED: another has it.
func (s *Store) open(uploadID string) (*part, error) {
	p := &part{store: s, key: uploadKey(uploadID), hash: sha256.New()}
	for range 3 {
		f, err := s.root.OpenFile(partPath(p.key), os.O_RDWR|os.O_CREATE, 0o640)
		if err != nil {
			return nil, err
		}
		if err := flock(f); err != nil {
			if err = errors.Join(err, f.Close()); !errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, err
			}
			break
		}
		// Whoever had the lock before may have moved or removed the file since it was opened.
		if same(s.root, f, partPath(p.key)) {
			p.file = f
			return p, nil
		}
		_ = f.Close() // nothing was written
	}
	return nil, problem.NewAborted("another stream sends the upload %q now; if that one broke, it is given up within a minute: then ask how far it came and go on", uploadID)
}

func same(root *os.Root, f *os.File, name string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := root.Stat(name)
	return err == nil && os.SameFile(opened, named)
}

// close gives the upload to whoever takes it up again.
func (p *part) close() error { return p.file.Close() }

// discard forgets the upload.
func (p *part) discard() error {
	return errors.Join(p.store.remove(recordPath(p.key)), p.store.remove(partPath(p.key)))
}

// begin makes the upload agree with the header. It is new, or the same as before.
func (p *part) begin(h model.Header) error {
	known, err := p.store.record(p.key)
	if err != nil {
		return err
	}
	said := record{Name: h.Name, Size: h.Size, SHA256: h.SHA256}
	if known == nil {
		if h.Offset > 0 {
			return errors.Join(problem.NewAborted("nothing is there of the upload %q: begin it at 0", h.UploadID), p.discard())
		}
		p.record = said
		return errors.Join(p.file.Truncate(0), p.remember())
	}
	p.record = *known
	said.FileID = known.FileID
	if said != *known {
		return problem.NewInvalid([]problem.Violation{{
			Field: "header.upload_id", Description: "is of an upload with another name, size or sha256: choose a new one for another content",
		}})
	}
	return nil
}

func (p *part) remember() error { return p.store.remember(p.key, p.record) }

func (s *Store) remember(key string, r record) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.write(recordPath(key), data)
}

// record is nil for an upload that nobody knows.
func (s *Store) record(key string) (*record, error) {
	data, err := s.root.ReadFile(recordPath(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	return r, json.Unmarshal(data, r)
}

// rewind cuts the bytes at the offset and reads what is left. They are read from the disk and not remembered as a hash: a
// crash of the machine may have lost some.
func (p *part) rewind(ctx context.Context, offset int64) error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	if offset > info.Size() {
		return problem.NewAborted("%d bytes are there of this upload, fewer than the offset %d: go on at %d", info.Size(), offset, info.Size())
	}
	if err := p.file.Truncate(offset); err != nil {
		return err
	}
	p.size, err = digest(ctx, p.hash, p.file)
	return err
}

// digest reads to the end, or until the context ends.
func digest(ctx context.Context, w io.Writer, r io.Reader) (int64, error) {
	const step = 1 << 20
	for n := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		got, err := io.CopyN(w, r, step)
		n += got
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
