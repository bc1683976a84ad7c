package files

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"movieexample.com/fleet/services/internal/problem"
	"movieexample.com/fleet/services/movie/internal/model"
)

// Receive stores what the chunks make together. Bytes of an upload that breaks are kept, to be taken up again; those of one
// that can never be whole are removed. An error of the chunks comes back inside [model.ErrInterrupted].
func (s *Store) Receive(ctx context.Context, h model.Header, chunks iter.Seq2[[]byte, error]) (model.Receipt, error) {
	p, err := s.open(h.UploadID)
	if full(err) {
		return model.Receipt{}, errFull(err)
	}
	if err != nil {
		return model.Receipt{}, err
	}
	receipt, err := p.receive(ctx, h, chunks)
	if full(err) {
		err = errors.Join(errFull(err), p.discard())
	}
	return receipt, errors.Join(err, p.close())
}

func (p *part) receive(ctx context.Context, h model.Header, chunks iter.Seq2[[]byte, error]) (model.Receipt, error) {
	if err := p.begin(h); err != nil {
		return model.Receipt{}, err
	}
	receipt, done, err := p.done()
	if done || err != nil {
		return receipt, err
	}
	if err := p.rewind(ctx, h.Offset); err != nil {
		return model.Receipt{}, err
	}
	if err := p.fill(chunks); err != nil {
		return model.Receipt{}, err
	}
	sum := hex.EncodeToString(p.hash.Sum(nil))
	if h.SHA256 != "" && h.SHA256 != sum {
		return model.Receipt{}, errors.Join(p.discard(), problem.NewAborted(
			"what came has the SHA-256 %s, not the announced %s: it was removed; begin again at 0", sum, h.SHA256))
	}
	return p.finish(sum)
}

// done tells that the upload was whole before: its sender did not get the answer.
func (p *part) done() (model.Receipt, bool, error) {
	if p.record.FileID == "" {
		return model.Receipt{}, false, nil
	}
	f, err := p.store.File(p.record.FileID)
	if problem.KindOf(err) == problem.NotFound {
		return model.Receipt{}, false, nil // the process ended just before the content was in its place
	}
	if err != nil {
		return model.Receipt{}, false, err
	}
	return model.Receipt{FileID: f.ID, SHA256: f.SHA256, Size: f.Size, Existed: true}, true, p.store.remove(partPath(p.key))
}

func (p *part) fill(chunks iter.Seq2[[]byte, error]) error {
	for chunk, err := range chunks {
		if err != nil {
			return p.interrupted(err)
		}
		if p.size+int64(len(chunk)) > p.record.Size {
			return errors.Join(p.discard(), problem.NewInvalid([]problem.Violation{{
				Field: "chunk", Description: fmt.Sprintf("more came than the %d bytes that the header says: the upload was removed", p.record.Size),
			}}))
		}
		if _, err := p.file.Write(chunk); err != nil {
			return err
		}
		_, _ = p.hash.Write(chunk) // a hash takes everything
		p.size += int64(len(chunk))
	}
	if p.size < p.record.Size {
		return problem.NewInvalid([]problem.Violation{{
			Field: "chunk", Description: fmt.Sprintf("the stream ended after %d of %d bytes: go on at %d", p.size, p.record.Size, p.size),
		}})
	}
	return nil
}

// interrupted keeps what came, if anything did.
func (p *part) interrupted(cause error) error {
	err := fmt.Errorf("%w: %w", model.ErrInterrupted, cause)
	if p.size == 0 {
		err = errors.Join(err, p.discard())
	}
	return err
}

// Upload tells how far an upload is.
func (s *Store) Upload(id string) (model.Upload, error) {
	key := uploadKey(id)
	r, err := s.record(key)
	if err != nil {
		return model.Upload{}, err
	}
	if r == nil {
		return model.Upload{}, model.NoUpload(id)
	}
	u := model.Upload{Size: r.Size}
	if r.FileID != "" {
		_, err := s.File(r.FileID)
		if err == nil {
			u.FileID, u.Offset = r.FileID, r.Size
			return u, nil
		}
		if problem.KindOf(err) != problem.NotFound {
			return model.Upload{}, err
		}
	}
	info, err := s.root.Stat(partPath(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return model.Upload{}, err
	}
	if err == nil {
		u.Offset = info.Size()
	}
	return u, nil
}
