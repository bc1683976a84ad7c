package send

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	moviev1 "movieexample.com/fleet/services/proto/movie/v1"
)

// File is what is uploaded. Close it at the end.
type File struct {
	Name     string
	Size     int64
	SHA256   string
	UploadID string
	Content  io.ReaderAt

	close func() error
}

// Open reads a file once for its checksum. An empty name is the file's own. The upload's id follows from content, name and
// path, so that the same command finds what it began before, and another one does not.
func Open(path, name string) (*File, error) {
	content, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	f := &File{Name: name, Content: content, close: content.Close}
	if name == "" {
		f.Name = filepath.Base(path)
	}
	if err := f.read(content, path); err != nil {
		return nil, errors.Join(err, content.Close())
	}
	return f, nil
}

func (f *File) read(content *os.File, path string) error {
	stat, err := content.Stat()
	if err != nil {
		return err
	}
	if !stat.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file: an upload may be read more than once", path)
	}
	sum := sha256.New()
	if f.Size, err = io.Copy(sum, content); err != nil {
		return err
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	id := sha256.Sum256([]byte(f.SHA256 + "\x00" + f.Name + "\x00" + host + "\x00" + absolute))
	f.UploadID = hex.EncodeToString(id[:])
	return nil
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// check compares what is stored with what was meant.
func (f *File) check(answer *moviev1.UploadFileResponse) error {
	if answer.GetSha256() != f.SHA256 || answer.GetSize() != f.Size {
		return fmt.Errorf("the service has stored other bytes than the file holds: %d with SHA-256 %s, want %d with %s",
			answer.GetSize(), answer.GetSha256(), f.Size, f.SHA256)
	}
	return nil
}
