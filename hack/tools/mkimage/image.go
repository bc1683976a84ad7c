package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	passwd = "root:x:0:0:root:/:/\nnonroot:x:65532:65532:nonroot:/tmp:/\n"
	group  = "root:x:0:\nnonroot:x:65532:\n"

	// certificates is where Debian keeps the trusted authorities and where Go looks first.
	certificates = "/etc/ssl/certs/ca-certificates.crt"
)

// build returns an image of one layer that holds the files and what a program expects around it.
func build(opts options) (v1.Image, error) {
	contents, err := layer(opts.files)
	if err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(contents)), nil }
	compressed, err := tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("compress the layer: %w", err)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.AppendLayers(base, compressed)
	if err != nil {
		return nil, fmt.Errorf("add the layer: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the image's configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", opts.arch
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{
		Entrypoint: []string{opts.entrypoint},
		Env:        append([]string{"PATH=/"}, opts.env...),
		User:       opts.user,
		WorkingDir: "/",
	}
	return mutate.ConfigFile(image, config)
}

// layer returns an uncompressed tar without times or owners, so that equal input gives equal bytes.
func layer(files []file) ([]byte, error) {
	var buffer bytes.Buffer
	w := layerWriter{tar: tar.NewWriter(&buffer)}
	w.directory("/tmp", 0o1777)
	w.file("/etc/passwd", 0o644, []byte(passwd))
	w.file("/etc/group", 0o644, []byte(group))
	w.copy(file{source: certificates, target: certificates}, 0o644, true)
	for _, f := range files {
		w.copy(f, 0o755, false)
	}
	if w.err == nil {
		w.err = w.tar.Close()
	}
	return buffer.Bytes(), w.err
}

// layerWriter keeps the first error, after which it does nothing.
type layerWriter struct {
	tar  *tar.Writer
	made []string
	err  error
}

func (w *layerWriter) directory(name string, mode int64) {
	if name == "/" || slices.Contains(w.made, name) || w.err != nil {
		return
	}
	w.directory(path.Dir(name), 0o755)
	w.made = append(w.made, name)
	w.header(tar.Header{Typeflag: tar.TypeDir, Name: name[1:] + "/", Mode: mode})
}

func (w *layerWriter) file(name string, mode int64, content []byte) {
	w.directory(path.Dir(name), 0o755)
	w.header(tar.Header{Typeflag: tar.TypeReg, Name: name[1:], Mode: mode, Size: int64(len(content))})
	if w.err == nil {
		_, w.err = w.tar.Write(content)
	}
}

func (w *layerWriter) copy(f file, mode int64, optional bool) {
	if w.err != nil {
		return
	}
	content, err := os.ReadFile(f.source)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		w.err = err
		return
	}
	w.file(f.target, mode, content)
}

func (w *layerWriter) header(h tar.Header) {
	if w.err == nil {
		w.err = w.tar.WriteHeader(&h)
	}
}
