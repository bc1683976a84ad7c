package files

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"movieexample.com/fleet/services/internal/problem"
)

// The directory's parts. Names of files below them are hashes, numbers and random texts; nothing that a caller says is
// ever a part of a path.
//
//	files/ab/abcd…/content      a content whose SHA-256 is abcd…; never changes
//	files/ab/abcd…/info.json    what its first sender said of it
//	files/ab/abcd…/mark-N.json  what the holder N of the processor's lock has found; the highest counts
//	uploads/….part, ….json      an upload that is being received: the bytes, what its header said
//	pending/                    a ticket for each content that is to be checked
//	tmp/                        files that are renamed to their place once they are whole
//
// All of it works over NFS: a rename is atomic, locks are by flock, and nobody relies on a lock for the truth of a content,
// which the processor checks against its name.
const (
	contents  = "files"
	uploads   = "uploads"
	pending   = "pending"
	temporary = "tmp"
)

// Store is safe for use by many goroutines, processes and machines at once.
type Store struct {
	root *os.Root
	now  func() time.Time
}

// Open takes a directory that exists, and tries what it will need there.
func Open(directory string, now func() time.Time) (*Store, error) {
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, fmt.Errorf("the directory for files: %w; create it, or mount the volume there", err)
	}
	s := &Store{root: root, now: now}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("the directory for files %s cannot be used: %w", directory, err), root.Close())
	}
	return s, nil
}

func (s *Store) prepare() error {
	for _, dir := range []string{contents, uploads, pending, temporary} {
		if err := s.root.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	name := s.temporary()
	f, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = flock(f)
	if err != nil {
		err = fmt.Errorf("its file system has no locks (flock): %w", err)
	}
	return errors.Join(err, f.Close(), s.root.Remove(name))
}

// Close frees the directory.
func (s *Store) Close() error { return s.root.Close() }

func (s *Store) temporary() string { return path.Join(temporary, rand.Text()) }

// write puts a small file in its place as a whole, or leaves what was there.
func (s *Store) write(name string, data []byte) error {
	tmp := s.temporary()
	f, err := s.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = s.root.Rename(tmp, name)
	}
	if err != nil {
		return errors.Join(err, s.root.Remove(tmp))
	}
	return s.sync(path.Dir(name))
}

// sync makes the names in a directory outlive a crash of the machine.
func (s *Store) sync(dir string) error {
	d, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Store) remove(name string) error {
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *Store) list(dir string) ([]fs.DirEntry, error) {
	d, err := s.root.Open(dir)
	if err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(-1)
	return entries, errors.Join(err, d.Close())
}

// flock takes the lock of a file for as long as it is open. On NFS the server keeps it; a machine that is gone loses it.
func flock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// full tells whether the volume has no room, or the user no quota.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func errFull(err error) error {
	return problem.NewExhausted(err, "the volume for files is full: what came of this upload was removed; free some room, or ask for a larger volume")
}
