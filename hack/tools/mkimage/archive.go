package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// writeFile writes the archive of an image and returns its size in bytes.
func writeFile(path string, tag name.Tag, image v1.Image) (int64, error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := writeArchive(f, tag, image); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Close()
}

// writeArchive writes an OCI image layout, with docker's manifest.json beside it as `docker save` does.
func writeArchive(out io.Writer, tag name.Tag, image v1.Image) error {
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	blobs, err := configAndLayers(image)
	if err != nil {
		return err
	}
	index, err := ociIndex(tag, digest, len(manifest))
	if err != nil {
		return err
	}
	docker, err := dockerManifest(tag, blobs)
	if err != nil {
		return err
	}
	w := tar.NewWriter(out)
	entries := append([]blob{
		{path: "oci-layout", content: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{path: "index.json", content: index},
		{path: "manifest.json", content: docker},
		{path: blobPath(digest), content: manifest},
	}, blobs...)
	for _, e := range entries {
		if err := e.write(w); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	return w.Close()
}

// blob is one file of the archive.
type blob struct {
	path    string
	content []byte
}

func (b blob) write(w *tar.Writer) error {
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: b.path, Mode: 0o644, Size: int64(len(b.content))}); err != nil {
		return err
	}
	_, err := w.Write(b.content)
	return err
}

func blobPath(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

// configAndLayers returns the image's configuration first, then its layers in order.
func configAndLayers(image v1.Image) ([]blob, error) {
	digest, err := image.ConfigName()
	if err != nil {
		return nil, err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, err
	}
	blobs := []blob{{path: blobPath(digest), content: config}}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, l := range layers {
		b, err := layerBlob(l)
		if err != nil {
			return nil, err
		}
		blobs = append(blobs, b)
	}
	return blobs, nil
}

func layerBlob(l v1.Layer) (blob, error) {
	digest, err := l.Digest()
	if err != nil {
		return blob{}, err
	}
	compressed, err := l.Compressed()
	if err != nil {
		return blob{}, err
	}
	defer compressed.Close()
	content, err := io.ReadAll(compressed)
	return blob{path: blobPath(digest), content: content}, err
}

// ociIndex names the image in both ways that loaders look for.
func ociIndex(tag name.Tag, digest v1.Hash, size int) ([]byte, error) {
	return json.Marshal(v1.IndexManifest{
		SchemaVersion: 2,
		MediaType:     types.OCIImageIndex,
		Manifests: []v1.Descriptor{{
			MediaType: types.OCIManifestSchema1,
			Size:      int64(size),
			Digest:    digest,
			Annotations: map[string]string{
				"io.containerd.image.name":          tag.Name(),
				"org.opencontainers.image.ref.name": tag.TagStr(),
			},
		}},
	})
}

func dockerManifest(tag name.Tag, blobs []blob) ([]byte, error) {
	entry := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{Config: blobs[0].path, RepoTags: []string{tag.String()}}
	for _, l := range blobs[1:] {
		entry.Layers = append(entry.Layers, l.path)
	}
	return json.Marshal([]any{entry})
}
