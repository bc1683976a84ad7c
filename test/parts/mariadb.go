package parts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"movieexample.com/fleet/test/ports"
)

// MariaDB is a real server of its own: data in a directory under the temporary one, one loopback port that stays the
// same over a restart. The kernel ends it with the test process, however that ends.
type MariaDB struct {
	Port int

	dir       string
	program   string
	flags     []string
	owner     *syscall.Credential // nil: the current user
	databases atomic.Int64
	process   *exec.Cmd
	exited    chan error
	ports     ports.Held
}

// WithMariaDB starts a server for the tests of a package and removes it afterwards. Call it from TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(parts.WithMariaDB(func(s *parts.MariaDB) int { server = s; return m.Run() })) }
func WithMariaDB(run func(*MariaDB) int) int {
	server, err := StartMariaDB()
	if err != nil {
		fmt.Fprintln(os.Stderr, "MariaDB for the tests:", err)
		return 1
	}
	defer server.Close()
	return run(server)
}

// StartMariaDB makes a new, empty server and waits until it answers. Flags are given to it beside those that keep it on
// loopback.
func StartMariaDB(flags ...string) (*MariaDB, error) {
	m := &MariaDB{flags: flags}
	install, err := m.findPrograms()
	if err != nil {
		return nil, err
	}
	if m.dir, err = os.MkdirTemp("", "fleet-mariadb-"); err != nil {
		return nil, err
	}
	if err := errors.Join(m.setOwner(), m.pickPort(), m.installData(install), m.Start()); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (m *MariaDB) findPrograms() (install string, err error) {
	if m.program, err = findProgram("mariadbd"); err != nil {
		return "", err
	}
	return findProgram("mariadb-install-db")
}

// findProgram looks in the system directories too: PATH of an ordinary user lacks /usr/sbin on Debian.
func findProgram(name string) (string, error) {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/bin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: apt-get install mariadb-server (Debian)", name)
}

// setOwner gives the directory to an unprivileged user when the tests run as root: the server refuses to run as root.
func (m *MariaDB) setOwner() error {
	if os.Geteuid() != 0 {
		return nil
	}
	account, err := user.Lookup("mysql") // of Debian's mariadb-server; its part mariadb-server-core has none
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return fmt.Errorf("tests run as root, and there is no user mysql or nobody to run the server as: %w", err)
	}
	uid, uidErr := strconv.ParseUint(account.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return err
	}
	m.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(m.dir, int(uid), int(gid))
}

func (m *MariaDB) pickPort() error {
	port, err := m.ports.Take()
	m.Port = port
	return err
}

func (m *MariaDB) data() string   { return filepath.Join(m.dir, "data") }
func (m *MariaDB) socket() string { return filepath.Join(m.dir, "sock") }
func (m *MariaDB) log() string    { return filepath.Join(m.dir, "log") }

func (m *MariaDB) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = m.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + m.dir, "HOME=" + m.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: m.owner, Pdeathsig: syscall.SIGKILL}
	return cmd
}

func (m *MariaDB) installData(install string) error {
	out, err := m.command(install, "--no-defaults", "--datadir="+m.data(), "--skip-test-db",
		"--auth-root-authentication-method=normal", "--innodb-log-file-size=8M").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", install, err, out)
	}
	return nil
}

// Start starts the server, or starts it again after Stop, and waits until it answers. It does nothing while it runs.
func (m *MariaDB) Start() error {
	if m.process != nil {
		return nil
	}
	// The data are thrown away: nothing here is written through to the disk.
	process := m.command(m.program, append([]string{"--no-defaults", "--datadir=" + m.data(), "--socket=" + m.socket(),
		"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(m.Port), "--log-error=" + m.log(), "--pid-file=" + filepath.Join(m.dir, "pid"),
		"--skip-name-resolve", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=8M",
		"--innodb-buffer-pool-size=64M", "--max-connections=200"}, m.flags...)...)
	if err := process.Start(); err != nil {
		return err
	}
	m.process, m.exited = process, make(chan error, 1)
	go func(exited chan<- error) { exited <- process.Wait() }(m.exited) // Stop waits for it
	return m.waitUntilUp()
}

// StartWith is Start with further flags from now on; the last one of a name holds.
func (m *MariaDB) StartWith(flags ...string) error {
	m.flags = append(m.flags, flags...)
	return m.Start()
}

func (m *MariaDB) waitUntilUp() error {
	db, err := m.admin()
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	deadline := time.After(time.Minute)
	for {
		if err = db.Ping(); err == nil {
			return nil
		}
		select {
		case exit := <-m.exited:
			m.process = nil
			return errors.Join(fmt.Errorf("mariadbd ended; its log:\n%s", m.tail()), exit)
		case <-deadline:
			return fmt.Errorf("mariadbd does not answer: %w; its log:\n%s", err, m.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (m *MariaDB) tail() string {
	text, err := os.ReadFile(m.log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(text), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

func (m *MariaDB) admin() (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr, config.Logger = "root", "unix", m.socket(), &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Stop ends the server as an administrator would and waits for it. Data stay.
func (m *MariaDB) Stop() error {
	if m.process == nil {
		return nil
	}
	defer func() { m.process = nil }()
	if err := m.process.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-m.exited:
		return nil
	case <-time.After(time.Minute):
		return errors.Join(errors.New("mariadbd did not end in a minute and was killed"), m.process.Process.Kill(), <-m.exited)
	}
}

// Close ends the server and removes its directory.
func (m *MariaDB) Close() {
	defer m.ports.Close()
	if err := errors.Join(m.Stop(), os.RemoveAll(m.dir)); err != nil {
		fmt.Fprintln(os.Stderr, "Cleaning up MariaDB:", err)
	}
}

// Database makes an empty database and a user who owns only it, and returns the directory of a binding to it. Both
// are dropped when the test ends.
func (m *MariaDB) Database(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), m.databases.Add(1))
	m.Exec(tb, "CREATE DATABASE "+name, "CREATE USER "+name+"@'%' IDENTIFIED BY 'secret'",
		"GRANT ALL ON "+name+".* TO "+name+"@'%'")
	tb.Cleanup(func() { m.Exec(tb, "DROP DATABASE "+name, "DROP USER "+name+"@'%'") })
	dir := filepath.Join(tb.TempDir(), "mysql")
	WriteBinding(tb, dir, map[string]string{
		"type": "mysql", "host": "127.0.0.1", "port": strconv.Itoa(m.Port),
		"username": name, "password": "secret", "database": name,
	})
	return dir
}

// Exec runs statements as the server's administrator.
func (m *MariaDB) Exec(tb testing.TB, statements ...string) {
	tb.Helper()
	db, err := m.admin()
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.ExecContext(context.Background(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// WriteBinding writes a Service Binding directory: one file a key.
func WriteBinding(tb testing.TB, dir string, keys map[string]string) {
	tb.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		tb.Fatal(err)
	}
	for key, value := range keys {
		if err := os.WriteFile(filepath.Join(dir, key), []byte(value), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}
