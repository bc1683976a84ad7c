//go:build integration

package tryit_test

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

const root = "../.."

//go:embed session.sh
var session string

// step is a block of commands, and what the document says that they print; nil if it does not say.
type step struct {
	line     int
	commands string
	prints   *string
}

var block = regexp.MustCompile("(?ms)^```(sh|text|json)\n(.*?)^```$")

func steps(t *testing.T, document string) []step {
	t.Helper()
	var all []step
	for _, m := range block.FindAllStringSubmatchIndex(document, -1) {
		language, text := document[m[2]:m[3]], document[m[4]:m[5]]
		if language == "sh" {
			all = append(all, step{line: 1 + strings.Count(document[:m[0]], "\n"), commands: text})
			continue
		}
		if len(all) == 0 || all[len(all)-1].prints != nil {
			t.Fatalf("what is printed stands under no commands: %s", text)
		}
		all[len(all)-1].prints = &text
	}
	return all
}

// begun is what commands print that go on until Ctrl-C, once they have begun; "" for those that end by themselves.
func (s step) begun() string {
	switch {
	case strings.Contains(s.commands, "make run-local"):
		return "Ctrl-C ends"
	case strings.HasPrefix(s.commands, "bin/quote"):
		return `"msg":"Serving"`
	default:
		return ""
	}
}

// follow does what the document shows, in the directory, and tells how many outputs it has compared.
func follow(t *testing.T, name, where string) (compared int) {
	t.Helper()
	document := read(t, name)
	all := steps(t, document)
	dir := t.TempDir()
	log := filepath.Join(dir, "servers.log")
	// A rating that does not come in half a second is left out: here it is waited for.
	out, err := run(t, where, script(name, all, dir), "SERVER_LOG="+log, "MOVIE_UPSTREAMS_RATING_TIMEOUT=4s")
	served, _ := os.ReadFile(log)
	if err != nil {
		t.Fatalf("%v\n%s\nthe servers: %s", err, out, served)
	}
	for i, s := range all {
		if s.prints == nil {
			continue
		}
		printed, err := os.ReadFile(outputOf(dir, i))
		if got, want := dense(string(printed)), dense(*s.prints); err != nil || got != want {
			t.Errorf("%s:%d prints, %v\n%s\nand the document says\n%s", name, s.line, err, printed, *s.prints)
		}
		compared++
	}
	return compared
}

func read(t *testing.T, name string) string {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

func script(name string, all []step, dir string) string {
	var b strings.Builder
	b.WriteString(session)
	for i, s := range all {
		fmt.Fprintf(&b, "trap 'echo \"failed: a command of %s:%d\" >&2' ERR\n", name, s.line)
		if pattern := s.begun(); pattern != "" {
			fmt.Fprintf(&b, "serve %s %s\n", quoted(pattern), quoted(s.commands))
			continue
		}
		fmt.Fprintf(&b, "{\n%s} >%s\n", s.commands, outputOf(dir, i))
	}
	b.WriteString("end_server\n")
	return b.String()
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func outputOf(dir string, step int) string { return filepath.Join(dir, strconv.Itoa(step)) }

var moment = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*Z"`)

// dense is the text without spaces, which differ from run to run, as times do.
func dense(text string) string {
	return moment.ReplaceAllString(strings.Join(strings.Fields(text), ""), "TIME")
}

// copied is the repository as git would have it, so that what is made there stays apart.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		copyFile(t, filepath.Join(root, name), filepath.Join(dir, name))
	}
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if os.IsNotExist(err) { // deleted, and git does not know yet
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, info.Mode().Perm()); err != nil {
		t.Fatal(err)
	}
}

// run runs the script in namespaces of its own. The tools that it needs are built before: it has no network.
func run(t *testing.T, dir, script string, env ...string) (string, error) {
	t.Helper()
	if out, err := exec.Command("make", "-s", "-C", root, "tool-grpcurl", "tools-proto").CombinedOutput(); err != nil {
		t.Fatalf("make tool-grpcurl tools-proto: %v\n%s", err, out)
	}
	args := []string{"--net", "--pid", "--fork", "--mount-proc", "--kill-child=KILL"}
	if os.Geteuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	cmd := exec.Command("unshare", append(args, "bash", "-c", script)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
