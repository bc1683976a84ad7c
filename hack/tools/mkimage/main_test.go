package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestMistakesAreNamed(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	write(t, program, "a static binary")
	out := filepath.Join(t.TempDir(), "out.tar")
	for _, tc := range []struct {
		name    string
		args    []string
		mistake string
	}{
		{"no tag", []string{"-o", out, program}, "-tag"},
		{"tag with a space", []string{"-tag", "a b", "-o", out, program}, "-tag"},
		{"no archive", []string{"-tag", "localhost/a:v1", program}, "which archive to write"},
		{"no file", []string{"-tag", "localhost/a:v1", "-o", out}, "name the binary"},
		{"relative path in the image", []string{"-tag", "localhost/a:v1", "-o", out, program + ":bin/a"}, "absolute and clean"},
		{"path that leaves the image", []string{"-tag", "localhost/a:v1", "-o", out, program + ":/../a"}, "absolute and clean"},
		{"variable without a value", []string{"-tag", "localhost/a:v1", "-o", out, "-env", "A", program}, "want KEY=VALUE"},
		{"file that is not there", []string{"-tag", "localhost/a:v1", "-o", out, program + "2"}, "no such file"},
		{"too large", []string{"-tag", "localhost/a:v1", "-o", out, "-max", "0.0001", program}, "more than the 0.0 MB of -max"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts, err := parse(tc.args, io.Discard)
			if err == nil {
				err = run(opts, io.Discard)
			}
			if err == nil || !strings.Contains(err.Error(), tc.mistake) {
				t.Errorf("mkimage %q = %v, want an error with %q", tc.args, err, tc.mistake)
			}
			if left, _ := filepath.Glob(out + "*"); len(left) > 0 {
				t.Errorf("mkimage %q left %q behind", tc.args, left)
			}
		})
	}
}

func TestArchiveHoldsTheProgramAsAsked(t *testing.T) {
	out := movieArchive(t)
	image, err := tarball.ImageFromPath(out, nil)
	if err != nil {
		t.Fatalf("docker's reader refuses the archive: %v", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Config; got.User != "65532" || !slices.Equal(got.Entrypoint, []string{"/movie"}) || !slices.Contains(got.Env, "MODE=v2") {
		t.Errorf("config = %+v, want user 65532, entrypoint /movie and MODE=v2", got)
	}
	files := layerFiles(t, image)
	for _, want := range []string{"tmp/", "etc/passwd", "movie"} {
		if !slices.Contains(files, want) {
			t.Errorf("files of the image = %q, want %q among them", files, want)
		}
	}
}

func TestArchiveIsAnOCILayout(t *testing.T) {
	names := tarNames(t, bytes.NewReader(read(t, movieArchive(t))))
	for _, want := range []string{"oci-layout", "index.json"} {
		if !slices.Contains(names, want) {
			t.Errorf("files of the archive = %q, want %q among them", names, want)
		}
	}
}

func TestSameInputGivesTheSameBytes(t *testing.T) {
	if first, second := read(t, movieArchive(t)), read(t, movieArchive(t)); !bytes.Equal(first, second) {
		t.Error("two archives of the same program differ")
	}
}

// movieArchive writes an archive of one program and returns its path.
func movieArchive(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program, out := filepath.Join(dir, "movie"), filepath.Join(dir, "movie.tar")
	write(t, program, "a static binary")
	opts, err := parse([]string{"-tag", "localhost/fleet/movie:v1", "-env", "MODE=v2", "-o", out, program}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(opts, io.Discard); err != nil {
		t.Fatal(err)
	}
	return out
}

func layerFiles(t *testing.T, image v1.Image) []string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("layers = %v, %v, want one", layers, err)
	}
	contents, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer contents.Close()
	return tarNames(t, contents)
}

func tarNames(t *testing.T, r io.Reader) []string {
	t.Helper()
	var names []string
	for archive := tar.NewReader(r); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
